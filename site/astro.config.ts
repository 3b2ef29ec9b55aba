import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { satteri } from "@astrojs/markdown-satteri";
import starlight from "@astrojs/starlight";
import { defineConfig, passthroughImageService } from "astro/config";
import type { HastPluginDefinition } from "satteri";
import starlightTypeDoc from "starlight-typedoc";
import { modules, sections } from "./pages.mjs";
import { views } from "./views.mjs";

const repository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Puts each table into a box that scrolls, so that a wide table does not make the page wider. */
const wrapTables: HastPluginDefinition = {
  name: "wrap-tables",
  element: {
    filter: ["table"],
    visit: (table, context) => {
      context.wrapNode(table, { type: "element", tagName: "div", properties: { className: ["table-scroll"] }, children: [] });
    },
  },
};

/** `npm run site -- --quick`: keeps the API reference of the previous build. */
const reusesApi = process.env.SITE_QUICK === "1" && existsSync(new URL("src/content/docs/api", import.meta.url));

export default defineConfig({
  // The folder of the site on its server: "/" or, for example, "/lightning-m1/".
  base: process.env.SITE_BASE ?? "/",
  // The default removes line breaks before inline elements, and with them the space between two words.
  compressHTML: true,
  markdown: { processor: satteri({ hastPlugins: [wrapTables] }) },
  image: { service: passthroughImageService() },
  integrations: [
    starlight({
      title: "lightning-m1",
      description: "MiniMax-M1 in TypeScript: inference, training and reinforcement learning, in Node and in the browser",
      expressiveCode: { defaultProps: { frame: "none" } },
      customCss: ["./src/styles/site.css"],
      components: { MarkdownContent: "./src/components/MarkdownContent.astro", SocialIcons: "./src/components/HeaderLinks.astro" },
      plugins: reusesApi
        ? []
        : [
            starlightTypeDoc({
              entryPoints: modules.map(({ file }) => repository(file)),
              tsconfig: repository("tsconfig.json"),
              typeDoc: {
                name: "lightning-m1",
                entryFileName: "index",
                disableSources: true,
                treatWarningsAsErrors: true,
                validation: { notExported: false, invalidLink: true, notDocumented: false },
              },
            }),
          ],
      sidebar: [
        { label: "Interactive", items: views.map(({ name, title }) => ({ label: title, link: `/${name}/` })) },
        ...sections.map(({ label, pages }) => ({ label, items: pages.map(({ slug }) => slug) })),
        {
          label: "API",
          items: modules.map(({ name }) => ({ label: name, slug: `api/${name}` })),
        },
      ],
    }),
  ],
  vite: {
    resolve: {
      alias: [
        { find: "lightning-m1/model", replacement: repository("models/m1-puzzles/index.js") },
        { find: /^lightning-m1\/(.*)$/, replacement: repository("dist/browser/$1.js") },
        { find: /^lightning-m1$/, replacement: repository("dist/browser/index.js") },
      ],
    },
    // Workers may share chunks with the page.
    worker: { format: "es" },
    server: { fs: { allow: [repository("")] } },
  },
});

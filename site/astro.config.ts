import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import starlight from "@astrojs/starlight";
import { defineConfig, passthroughImageService } from "astro/config";
import starlightTypeDoc from "starlight-typedoc";
import { modules, sections } from "./pages.mjs";
import { views } from "./views.mjs";

const repository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The source file of an entry point, from which the API reference is made. */
function entryFile(name: string): string {
  return repository(name === "" ? "src/index.ts" : name === "node" ? "src/node-entry/index.ts" : `src/${name}/index.ts`);
}

/** `npm run site -- --quick`: keeps the API reference of the previous build. */
const reusesApi = process.env.SITE_QUICK === "1" && existsSync(new URL("src/content/docs/api", import.meta.url));

export default defineConfig({
  // The folder of the site on its server: "/" or, for example, "/lightning-m1/".
  base: process.env.SITE_BASE ?? "/",
  trailingSlash: "always",
  // The default removes line breaks before inline elements, and with them the space between two words.
  compressHTML: true,
  image: { service: passthroughImageService() },
  integrations: [
    starlight({
      title: "lightning-m1",
      description: "MiniMax-M1 in TypeScript: inference, training and reinforcement learning, in Node and in the browser",
      customCss: ["./src/styles/site.css"],
      components: { SocialIcons: "./src/components/HeaderLinks.astro" },
      plugins: reusesApi
        ? []
        : [
            starlightTypeDoc({
              entryPoints: modules.map(entryFile),
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
          items: modules.map((name) => {
            const path = name === "" ? "lightning-m1" : `lightning-m1/${name}`;
            return { label: path, slug: `api/${path}` };
          }),
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

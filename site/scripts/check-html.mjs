// Checks the built site: links lead to pages and anchors that exist, every page has a title and a description, and nothing is loaded from
// another host. As a program, prints what is wrong, and exits with 1 then.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, walkSync } from "ultrahtml";

const ORIGIN = "http://site.invalid";

/** What the checks need of a page. */
function read(dist, base, file) {
  const page = { file, url: new URL(base + file.replace(/index\.html$/, ""), ORIGIN), ids: new Set(), links: [], loads: [], title: "" };
  walkSync(parse(readFileSync(join(dist, file), "utf8")), (node) => {
    if (!node.attributes) return;
    const { id, name, href, src, content, rel } = node.attributes;
    if (id) page.ids.add(id);
    // Icons have titles too.
    if (node.name === "title" && node.parent?.name === "head") page.title = node.children.map((child) => child.value ?? "").join("");
    if (node.name === "meta" && name === "description") page.description = content;
    if (node.name === "a" && href !== undefined) page.links.push(href);
    if (node.name === "link" && href !== undefined && rel !== "canonical") page.loads.push(href);
    if (src !== undefined) page.loads.push(src);
  });
  return page;
}

const decode = (text) => text.replaceAll(/&(?:amp|#38|#x26);/g, "&").replaceAll("&quot;", '"');

/**
 * Checks all pages of a folder.
 *
 * @param base the folder of the site on its server
 * @returns the number of pages and links, and one line per problem
 */
export function checkSite(dist, base) {
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));
  const pages = new Map(files.map((file) => [file, read(dist, base, file)]));

  /** What is wrong with an address on a page, if anything. */
  function problem(page, address, external) {
    const text = decode(address);
    if (!URL.canParse(text, page.url)) return "is no address";
    const url = new URL(text, page.url);
    if (url.protocol === "data:" || url.protocol === "mailto:") return undefined;
    if (url.origin !== ORIGIN) return external ? undefined : "is on another host";
    if (!url.pathname.startsWith(base)) return `is outside of the base ${base}`;
    const path = decodeURIComponent(url.pathname.slice(base.length));
    if (path !== "" && !path.endsWith("/")) return existsSync(join(dist, path)) ? undefined : "leads to no file";
    const target = pages.get(`${path}index.html`);
    if (!target) return "leads to no page";
    const anchor = decodeURIComponent(url.hash.slice(1));
    return anchor === "" || target.ids.has(anchor) ? undefined : "leads to no anchor";
  }

  const problems = [...pages.values()].flatMap((page) => {
    const wrong = [];
    if (!page.title) wrong.push("has no title");
    if (!page.description) wrong.push("has no description");
    for (const address of new Set(page.links)) wrong.push([address, problem(page, address, true)]);
    for (const address of new Set(page.loads)) wrong.push([address, problem(page, address, false)]);
    return wrong
      .map((entry) => (typeof entry === "string" ? entry : entry[1] && entry.join(" ")))
      .filter(Boolean)
      .map((text) => `${page.file}: ${text}`);
  });
  return { pages: pages.size, links: [...pages.values()].reduce((sum, page) => sum + page.links.length, 0), problems };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = fileURLToPath(new URL("../dist/", import.meta.url));
  const { pages, links, problems } = checkSite(dist, (process.env.SITE_BASE ?? "/").replace(/\/?$/, "/"));
  for (const text of problems.slice(0, 100)) console.error(`site: ${text}`);
  console.log(`site: ${pages} pages and ${links} links checked, ${problems.length} problems`);
  process.exit(problems.length > 0 ? 1 : 0);
}

// Checks the built site: links lead to pages and anchors that exist, every page has a title and a description, and nothing is loaded from
// another host. Prints what is wrong, and exits with 1 then.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, walkSync } from "ultrahtml";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const base = (process.env.SITE_BASE ?? "/").replace(/\/?$/, "/");
const ORIGIN = "http://site.invalid";

const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));

/** What the checks need of a page. */
function read(file) {
  const page = { file, url: new URL(base + file.replace(/index\.html$/, ""), ORIGIN), ids: new Set(), links: [], loads: [], title: "" };
  walkSync(parse(readFileSync(join(dist, file), "utf8")), (node) => {
    if (!node.attributes) return;
    const { id, name, href, src, content, rel } = node.attributes;
    if (id) page.ids.add(id);
    if (node.name === "title") page.title = node.children.map((child) => child.value ?? "").join("");
    if (node.name === "meta" && name === "description") page.description = content;
    if (node.name === "meta" && node.attributes["http-equiv"] === "refresh") page.redirects = true;
    if (node.name === "a" && href !== undefined) page.links.push(href);
    if (node.name === "link" && href !== undefined && rel !== "canonical") page.loads.push(href);
    if (src !== undefined) page.loads.push(src);
  });
  return page;
}

const pages = new Map(files.map((file) => [file, read(file)]));
const decode = (text) => text.replaceAll("&amp;", "&").replaceAll("&#38;", "&").replaceAll("&quot;", '"').replaceAll("&#x26;", "&");

/** What is wrong with an address on a page, if anything. */
function problem(page, address, { external }) {
  const url = new URL(decode(address), page.url);
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
  if (page.redirects) return wrong;
  if (!page.title) wrong.push("has no title");
  if (!page.description) wrong.push("has no description");
  // The error page can be shown at any address, so that only its absolute links can be right.
  for (const [addresses, external] of [
    [page.links, true],
    [page.loads, false],
  ]) {
    for (const address of new Set(addresses)) {
      const why = problem(page, address, { external });
      if (why) wrong.push(`${address} ${why}`);
    }
  }
  return wrong.map((text) => `site: ${page.file}: ${text}`);
});

for (const text of problems.slice(0, 100)) console.error(text);
const links = [...pages.values()].reduce((sum, page) => sum + page.links.length, 0);
console.log(`site: ${pages.size} pages and ${links} links checked, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);

// Copies the repository's Markdown into src/content/docs: headings become titles, and links between files become links between pages.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { pages } from "../pages.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const site = join(root, "site");
const content = join(site, "src/content/docs");
const slugs = new Map(pages.map(({ file, slug }) => [file, slug]));

/** Splits a file into its front matter (only `title` and `description`), the text of its first heading, and the rest. */
function parse(file) {
  const text = readFileSync(join(root, file), "utf8");
  const [, head = "", body] = /^(?:---\n(.*?)\n---\n)?(.*)$/s.exec(text);
  const field = (name) => new RegExp(`^${name}: (.*)$`, "m").exec(head)?.[1];
  const heading = /^\s*# (.+)\n/.exec(body);
  if (!heading) throw new Error(`site: ${file}: expected a heading of level 1 at the start`);
  return { title: field("title"), description: field("description"), heading: heading[1], body: body.slice(heading[0].length) };
}

/** The address of a link's target, relative to the page with this slug. Targets that are no pages are copied to the site. */
function address(link, file, slug) {
  const [path, anchor] = link.split("#");
  if (!path) return link;
  const target = join(dirname(file), path);
  if (!existsSync(join(root, target))) throw new Error(`site: ${file}: expected a link to a file, got ${link}`);
  const hash = anchor === undefined ? "" : `#${anchor}`;
  if (slugs.has(target)) return `${relative(slug, slugs.get(target)) || "."}/${hash}`;
  if (statSync(join(root, target)).isDirectory()) throw new Error(`site: ${file}: expected a link to a file, got the folder ${link}`);
  copy(target, "public/files");
  return relative(slug, `files/${target}`) + hash;
}

/** The path of a picture's copy, relative to the Markdown file of the page. */
function picture(link, file, slug) {
  const target = join(dirname(file), link);
  copy(target, "src/assets");
  return relative(dirname(`content/docs/${slug}`), `assets/${target}`);
}

function copy(file, folder) {
  const to = join(site, folder, file);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(root, file), to);
}

/** Applies a function to everything outside of code blocks and inline code. */
function outsideCode(text, change) {
  return text
    .split(/(^```.*?^```$|`[^`\n]*`)/ms)
    .map((part, i) => (i % 2 === 1 ? part : change(part)))
    .join("");
}

function page({ file, slug, label, description }) {
  const { body, heading, ...front } = parse(file);
  const text = outsideCode(body, (prose) =>
    prose
      .replaceAll(/!\[([^\]]*)\]\((?!https?:)([^)\s]+)\)/g, (_, alt, link) => `![${alt}](${picture(link, file, slug)})`)
      .replaceAll(/(?<!!\[[^\]]*)\]\((?!https?:|mailto:)([^)\s]+)\)/g, (_, link) => `](${address(link, file, slug)})`)
      .replaceAll(/^(\[[^\]]+\]:) (?!https?:)(\S+)/gm, (_, name, link) => `${name} ${address(link, file, slug)}`),
  );
  const fields = {
    title: heading.replaceAll("`", ""),
    description: front.description ?? description,
    sidebar: { label: label ?? front.title ?? heading },
  };
  const to = join(content, `${slug}.md`);
  mkdirSync(dirname(to), { recursive: true });
  const head = Object.entries(fields).filter(([, value]) => value !== undefined);
  writeFileSync(to, `---\n${head.map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`).join("")}---\n${text}`);
}

const kept = new Set(["index.mdx", ...(process.env.SITE_QUICK === "1" ? ["api"] : [])]);
for (const name of readdirSync(content)) if (!kept.has(name)) rmSync(join(content, name), { recursive: true });
for (const folder of ["public/files", "src/assets"]) rmSync(join(site, folder), { recursive: true, force: true });
for (const entry of pages) page(entry);

const missing = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md") && !slugs.has(`docs/${name}`));
if (missing.length > 0) throw new Error(`site: docs/${missing[0]} is not in site/pages.mjs (add it to a section)`);

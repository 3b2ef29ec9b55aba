// The check of links, anchors and descriptions finds what it is for.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkSite } from "../scripts/check-html.mjs";

const folder = mkdtempSync(join(tmpdir(), "lightning-m1-site-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HEAD = '<title>Page</title><meta name="description" content="A page.">';

function write(file: string, body: string, head = HEAD): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), `<!DOCTYPE html><html><head>${head}</head><body>${body}</body></html>`);
}

test("problems are found, and only they", () => {
  write("index.html", '<a href="./guide/#there">fine</a><a href="https://example.org/">fine</a><img src="./a.svg"><h2 id="x">X</h2>');
  writeFileSync(join(folder, "a.svg"), "<svg/>");
  write("guide/index.html", '<h2 id="there">There</h2><a href="../">fine</a><a href="/base/#x">fine</a>');
  expect(checkSite(folder, "/base/")).toEqual({ pages: 2, links: 4, problems: [] });

  write("guide/index.html", '<a href="#gone">a</a><a href="../lost/">b</a><a href="../b.svg">c</a><a href="/guide/">d</a>');
  write("about/index.html", '<script src="https://example.org/x.js"></script>', "<title></title>");
  expect(checkSite(folder, "/base/").problems.sort()).toEqual([
    "about/index.html: has no description",
    "about/index.html: has no title",
    "about/index.html: https://example.org/x.js is on another host",
    "guide/index.html: #gone leads to no anchor",
    "guide/index.html: ../b.svg leads to no file",
    "guide/index.html: ../lost/ leads to no page",
    "guide/index.html: /guide/ is outside of the base /base/",
    "index.html: ./guide/#there leads to no anchor",
  ]);
});

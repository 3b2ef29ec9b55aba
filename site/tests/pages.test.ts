// Every page of the site that has no view: accessibility in both themes, narrow windows, console errors, requests to other hosts. The API
// has hundreds of pages of a few kinds, of which the largest of each kind are checked; with SITE_PAGES=all, all of them.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, test } from "vitest";
import { views } from "../views.mjs";
import { axeViolations, expectNoSidewaysScroll, setTheme, THEME_RULES, useBrowser } from "./support/browser.ts";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));
const isApi = (file: string) => file.startsWith("api/");
const isView = (file: string) => views.some(({ name }) => file === `${name}/index.html`);

/** The largest pages of each kind: modules, classes, functions and so on. */
function apiSample(): string[] {
  const kinds = new Map<string, string[]>();
  for (const file of files.filter(isApi)) {
    const kind =
      /\/(classes|enumerations|functions|interfaces|namespaces|type-aliases|variables)\/[^/]+\/index\.html$/.exec(file)?.[1] ?? "module";
    kinds.set(kind, [...(kinds.get(kind) ?? []), file]);
  }
  const size = (file: string) => statSync(join(dist, file)).size;
  return [...kinds.values()].flatMap((group) => group.sort((a, b) => size(b) - size(a)).slice(0, 2));
}

const checked = [
  ...files.filter((file) => !isApi(file) && !isView(file)),
  ...(process.env.SITE_PAGES === "all" ? files.filter(isApi) : apiSample()),
];
const open = useBrowser();

test("there are guides and API pages", () => {
  expect(checked.filter((file) => file.startsWith("guides/")).length).toBeGreaterThan(20);
  expect(files.filter(isApi).length).toBeGreaterThan(400);
});

test.concurrent.each(checked)("%s", async (file) => {
  const { page, problems } = await open();
  await setThemeBefore(page);
  await page.goto(inject("site") + file.replace(/index\.html$/, ""));
  await setTheme(page, "dark");
  expect(await axeViolations(page), "dark").toEqual([]);
  await setTheme(page, "light");
  expect(await axeViolations(page, THEME_RULES), "light").toEqual([]);
  await page.setViewportSize({ width: 320, height: 640 });
  await expectNoSidewaysScroll(page);
  expect(problems).toEqual([]);
  await page.context().close();
});

async function setThemeBefore(page: Parameters<typeof setTheme>[0]): Promise<void> {
  await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
}

// The browser of a test file, and pages that record what must not happen.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, beforeAll, expect, inject } from "vitest";

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A page with what it has reported so far. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings of the console, exceptions, failed requests, and requests to other hosts. */
  readonly problems: string[];
  /** Bytes of each response's body as transferred. */
  readonly bytes: Map<string, number>;
}

/** Starts a browser before the tests of a file. Returns a function that opens an empty page, which is closed after the tests. */
export function useBrowser(): (options?: { viewport?: { width: number; height: number } }) => Promise<WatchedPage> {
  let browser: Browser;
  beforeAll(async () => {
    if (!executablePath) throw new Error("site tests: no Chromium found (apt-get install chromium, or set CHROMIUM to its path)");
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
  });
  afterAll(() => browser?.close());
  return async ({ viewport = { width: 1280, height: 900 } } = {}) => {
    const context = await browser.newContext({ viewport, acceptDownloads: true });
    const page = await context.newPage();
    const problems: string[] = [];
    const bytes = new Map<string, number>();
    const hosts = [inject("site"), inject("plainSite")].map((url) => new URL(url).host);
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
    page.on("requestfailed", (request) => {
      // A reload aborts what is still loading, such as the icon of the page.
      const reason = request.failure()?.errorText;
      if (reason !== "net::ERR_ABORTED") problems.push(`failed: ${request.url()}: ${reason}`);
    });
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (!["data:", "blob:"].includes(url.protocol) && !hosts.includes(url.host)) problems.push(`external request: ${request.url()}`);
    });
    page.on("response", async (response) => {
      const sizes = await response
        .request()
        .sizes()
        .catch(() => undefined);
      if (sizes) bytes.set(response.url(), (bytes.get(response.url()) ?? 0) + sizes.responseBodySize);
    });
    return { page, problems, bytes };
  };
}

type Theme = "light" | "dark";

/** Shows the page in a theme. Starlight follows the system's setting unless the reader has chosen one. */
export async function setTheme(page: Page, theme: Theme): Promise<void> {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  await page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, theme);
}

const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** Runs axe with all rules of WCAG 2.2 AA, or only with some rules. Returns one line per violation and element. */
export async function axeViolations(page: Page, rules?: readonly string[]): Promise<string[]> {
  // Scripts make boxes focusable that scroll, shortly after the page has loaded.
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".expressive-code pre, .table-scroll")].every(
      (box) => box.scrollWidth <= box.clientWidth || box.hasAttribute("tabindex"),
    ),
  );
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axeSource);
  return page.evaluate(
    async ([tags, only]) => {
      const { axe } = window as unknown as { axe: typeof import("axe-core") };
      const { violations } = await axe.run(document, {
        runOnly: only ? { type: "rule", values: [...only] } : { type: "tag", values: [...tags] },
        resultTypes: ["violations"],
        // Rules of WCAG do not need the style sheets once more.
        preload: false,
      });
      return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`));
    },
    [WCAG, rules] as const,
  );
}

/** Searches the site. Returns the address of every section that is found, without the server, in the order of their pages. */
export async function searchSite(page: Page, words: string): Promise<string[]> {
  const index = new URL("pagefind/pagefind.js", inject("site")).href;
  // As a text, because the bundler of the tests replaces `import()`.
  return page.evaluate(`(async () => {
    const { search } = await import(${JSON.stringify(index)});
    const { results } = await search(${JSON.stringify(words)});
    const pages = await Promise.all(results.map((one) => one.data()));
    return pages.flatMap(({ sub_results }) => sub_results.map(({ url }) => url));
  })()`);
}

/** Rules whose result depends on the theme. */
export const THEME_RULES = ["color-contrast", "link-in-text-block"];

/** Fails if the page is wider than its window. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const [wide, wanted] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(wide, "width of the page").toBeLessThanOrEqual(wanted!);
}

// The Firefox of the system and its pages. Puppeteer drives it (WebDriver BiDi), because Playwright needs a Firefox of its own.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer, { type Browser, type Page, Puppeteer } from "puppeteer-core";
import { afterAll, beforeAll, expect } from "vitest";

const executablePath = [process.env.FIREFOX, "/usr/bin/firefox-esr", "/usr/bin/firefox"].find((path) => path && existsSync(path));

/** Whether tests in Firefox run. With `REQUIRE_BROWSER` they run, and fail, without Firefox too. */
export const runsFirefox = executablePath !== undefined || Boolean(process.env.REQUIRE_BROWSER);
const MISSING = "no Firefox found (apt-get install firefox-esr, or set FIREFOX to its path)";
if (!runsFirefox) console.warn(`site tests: ${MISSING}, its tests are skipped`);

/** A page with what it has reported so far. */
export interface FirefoxPage {
  readonly page: Page;
  /** Errors and warnings of the console, exceptions, and failed requests. */
  readonly problems: string[];
  /** Waits until the page has saved a file of this name. Returns its text. */
  readonly saved: (name: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** Starts Firefox before the tests of a file. Returns a function that opens a page without stored data. */
export function useFirefox(): () => Promise<FirefoxPage> {
  const downloads = mkdtempSync(join(tmpdir(), "lightning-m1-firefox-"));
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (!executablePath) throw new Error(`site tests: REQUIRE_BROWSER is set, ${MISSING}`);
    const extraPrefsFirefox = { "browser.download.folderList": 2, "browser.download.dir": downloads };
    browser = await puppeteer.launch({ browser: "firefox", executablePath, extraPrefsFirefox });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(downloads, { recursive: true });
  });
  return async () => {
    const context = await browser!.createBrowserContext();
    const page = await context.newPage();
    await page.setViewport({ width: 1280, height: 900 });
    const problems: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warn") problems.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => {
      const text = error instanceof Error ? error.message : String(error);
      // A reload aborts imports too. Those that fail otherwise are also failed requests.
      if (!text.startsWith("error loading dynamically imported module")) problems.push(`exception: ${text}`);
    });
    page.on("requestfailed", (request) => {
      // A reload aborts what is still loading.
      const reason = request.failure()?.errorText;
      if (reason !== "NS_BINDING_ABORTED") problems.push(`failed: ${request.url()}: ${reason}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) problems.push(`failed: ${response.url()}: HTTP ${response.status()}`);
    });
    const saved = async (name: string) => {
      // Firefox writes a `.part` file first.
      await expect.poll(() => readdirSync(downloads), { timeout: 10_000 }).toEqual([name]);
      const text = readFileSync(join(downloads, name), "utf8");
      rmSync(join(downloads, name));
      return text;
    };
    return { page, problems, saved, close: () => context.close() };
  };
}

// Puppeteer's own search by accessible names takes seconds on large pages in Firefox.
Puppeteer.registerCustomQueryHandler("control", {
  queryAll: (root, name) =>
    [...(root as Element).querySelectorAll<HTMLInputElement | HTMLButtonElement>("button, input")].filter(
      (item) => (item.labels?.[0] ?? item).textContent === name,
    ),
});

/** The button with this text, or the input with this label. */
export const control = (page: Page, name: string) => page.locator(`::-p-control(${name})`);

/** The text of the first element of a CSS selector. */
export const textOf = (page: Page, selector: string): Promise<string> => page.$eval(selector, (element) => element.textContent ?? "");

/** The cells of the tables in a part of the page. */
export const tableCells = (page: Page, part: string): Promise<string[][]> =>
  page.$eval(part, (element) =>
    [...element.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent ?? "")),
  );

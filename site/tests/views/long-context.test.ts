import { readFileSync } from "node:fs";
import type { Page } from "playwright";
import { expect, inject, test } from "vitest";
import { searchSite, useBrowser } from "../support/browser.ts";

const open = useBrowser();
const address = (query = "") => `${inject("site")}long-context/${query}`;
const status = (page: Page) => page.locator(".long-context-status").textContent();
const action = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

/** The cells of a figure's table. */
function table(page: Page, title: RegExp): Promise<(string | null)[][]> {
  const figure = page.locator("m1-figure").filter({ hasText: title });
  return figure.locator("tbody tr").evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
}

const MEMORY = /^Memory of the state/;

/** The number of measured lengths of the models. */
async function measured(page: Page): Promise<number[]> {
  const rows = await table(page, MEMORY);
  return [1, 3, 5].map((column) => rows.filter((cells) => cells[column] !== "–").length);
}

test("predictions are drawn at once; the address holds the settings", async () => {
  const { page, problems } = await open();
  await page.goto(address("?models=softmax&budget=600&hidden=1"));
  expect(await page.getByLabel("Time limit per model").inputValue()).toBe("600");
  expect(await page.getByLabel("go on while this tab is hidden").isChecked()).toBe(true);
  await page.getByLabel(/^all lightning/).check();
  await page.getByLabel("Time limit per model").selectOption("3");
  await page.waitForURL(/budget=3/);
  expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ models: "lightning.softmax", budget: "3", hidden: "1" });
  await expect.poll(async () => (await table(page, MEMORY))[0]).toEqual(["1,024", "–", "8,192", "–", "2,097,152"]);
  expect((await table(page, MEMORY)).at(-1)).toEqual(["1,048,576", "–", "8,192", "–", "2,147,483,648"]);
  expect(await page.locator("m1-figure svg[role=img]").count()).toBe(3);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("titles say that nothing is measured yet; the search finds the sections", async () => {
  const { page, problems } = await open();
  await page.goto(address());
  const title = page.locator("figcaption", { hasText: /^Time of a generated token/ });
  await expect
    .poll(() => title.textContent())
    .toBe("Time of a generated token; before it is measured, at an assumed 1 billion operations per second");
  for (const [words, section] of [
    ["cache doubles", "/long-context/#memory"],
    ["a prompt of twice the length", "/long-context/#prompt"],
  ] as const) {
    expect(await searchSite(page, words), words).toContain(section);
  }
  expect(problems).toEqual([]);
  await page.context().close();
});

test("a measurement runs in a worker, pauses, goes on, says where it stopped, and is there after a reload", async () => {
  const { page, problems } = await open();
  await page.goto(address("?budget=3"));
  await action(page, "Measure").click();
  await expect.poll(() => measured(page), { timeout: 60_000 }).not.toEqual([0, 0, 0]);
  await action(page, "Pause").press("Enter");
  expect(await status(page)).toBe("Paused.");
  // The pass that was running may still report.
  await page.waitForTimeout(1500);
  const paused = await measured(page);
  await page.waitForTimeout(700);
  expect(await measured(page)).toEqual(paused);
  await action(page, "Continue").click();

  await expect.poll(() => status(page), { timeout: 120_000 }).toBe("Finished.");
  const rows = await table(page, MEMORY);
  const counts = await measured(page);
  expect(counts[2]).toBeLessThan(rows.length);
  expect(Math.min(...counts)).toBeGreaterThan(0);
  for (const cells of rows) {
    for (const column of [1, 3, 5]) if (cells[column] !== "–") expect(cells[column]).toBe(cells[column + 1]);
  }
  for (const title of [/^Time of a generated/, /^Time of a token of the prompt/]) {
    expect(await page.locator("figcaption", { hasText: title }).textContent()).not.toContain("assumed");
    for (const cells of await table(page, title)) {
      for (const cell of cells.slice(1)) if (cell !== "–") expect(Number(cell)).toBeGreaterThan(0);
    }
  }
  expect(await page.locator(".long-context-ends").textContent()).toMatch(
    /All softmax stopped after [\d,]+ tokens: the prompt up to [\d,]+ tokens needs about .+ more, and the limit is 3 seconds in all\./,
  );
  expect(await page.locator("m1-long-context .view-reading").textContent()).toMatch(/^After [\d,]+ tokens – all lightning: 8 KiB, /);

  await page.reload();
  await expect.poll(() => measured(page)).toEqual(counts);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save data (JSON)" }).first().click(),
  ]);
  expect(download.suggestedFilename()).toBe("long-context-memory.json");
  const { models } = JSON.parse(readFileSync(await download.path(), "utf8"));
  expect(models.softmax.measured.length).toBe(counts[2]);
  expect(models.softmax.measured[0]).toEqual({ length: 1024, value: 2_097_152 });
  expect(problems).toEqual([]);
  await page.context().close();
});

test("it pauses while the tab is hidden, and Stop ends it; without isolation, the coarser clock is enough", async () => {
  const { page, problems } = await open();
  await page.goto(`${inject("plainSite")}long-context/?models=lightning&budget=none`);
  await action(page, "Measure").click();
  const times = async () => (await table(page, /^Time of a generated/)).map((cells) => cells[1]).filter((cell) => cell !== "–");
  await expect.poll(async () => (await times()).length, { timeout: 60_000 }).toBeGreaterThan(2);
  for (const time of await times()) expect(Number(time)).toBeGreaterThan(0);
  const setHidden = (hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await setHidden(true);
  expect(await status(page)).toBe("Paused while the tab is hidden.");
  await setHidden(false);
  expect(await status(page)).toBe("Measuring.");
  await action(page, "Stop").click();
  expect(await status(page)).toBe("Stopped.");
  expect(await action(page, "Pause").isDisabled()).toBe(true);
  expect(problems).toEqual([]);
  await page.context().close();
});

import { expect, inject, test } from "vitest";
import { useBrowser } from "../support/browser.ts";

const open = useBrowser();
const address = (query = "") => `${inject("site")}tasks/${query}`;

test("a puzzle is made, judged and solved, and the address names it", async () => {
  const { page, problems } = await open();
  await page.goto(address(), { waitUntil: "networkidle" });
  const question = page.locator(".task-question[aria-busy=false]");
  const verdict = page.locator(".task-verdict");
  await expect.poll(() => question.textContent()).toContain("Kukurasu puzzle of 2 rows");
  await page.getByLabel("Your answer").fill("two");
  await page.getByRole("button", { name: "Check the answer" }).click();
  await expect.poll(() => verdict.textContent()).toMatch(/^Wrong There is no list of lists in your answer\./);
  expect(await page.getByLabel("Your answer").evaluate((field) => getComputedStyle(field).fontFamily)).toContain("mono");
  await page.getByLabel("Your answer").fill('[["X", "X"], ["X", "X"]]');
  await page.getByRole("button", { name: "Check the answer" }).click();
  await expect.poll(() => verdict.textContent()).toMatch(/^Wrong Row 1/);
  await page.getByRole("button", { name: "Show a solution" }).click();
  await page.getByRole("button", { name: "Put it into the answer field" }).click();
  await page.getByLabel("Your answer").press("Control+Enter");
  await expect.poll(() => verdict.textContent()).toMatch(/^Right All rules hold\./);

  await page.getByLabel("Task", { exact: true }).selectOption("compact/sudoku");
  await page.getByLabel("2", { exact: true }).check();
  await page.getByRole("button", { name: "Next puzzle" }).click();
  await page.waitForURL(/puzzle=2/);
  expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ task: "compact/sudoku", level: "2", puzzle: "2" });
  await expect.poll(() => question.textContent()).toContain("Fill the sudoku");
  await expect.poll(() => verdict.textContent()).toBe("Puzzle 2 of seed 1.");
  const first = await question.textContent();
  await page.getByLabel("Your answer").fill("1 2 3 4");
  await page.reload();
  await expect.poll(() => question.textContent()).toBe(first);
  await expect.poll(() => page.getByLabel("Your answer").inputValue()).toBe("1 2 3 4");
  expect(problems).toEqual([]);
  await page.context().close();
});

test("unknown tasks and levels in the address are replaced", async () => {
  const { page, problems } = await open();
  await page.goto(address("?task=chess&level=huge&language=xx&seed=-1"));
  await expect.poll(() => page.locator(".task-question").textContent()).toContain("Kukurasu");
  expect(await page.getByLabel("tiny").isChecked()).toBe(true);
  expect(await page.getByLabel("English").isChecked()).toBe(true);
  expect(problems).toEqual([]);
  await page.context().close();
});

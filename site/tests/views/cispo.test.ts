import { readFileSync } from "node:fs";
import { expect, inject, test } from "vitest";
import verdicts from "../../../docs/cispo-study/verdict.json";
import { useBrowser } from "../support/browser.ts";

const open = useBrowser();
const address = (query = "") => `${inject("site")}cispo/${query}`;

test("the address holds the state, and a reload keeps it", async () => {
  const { page } = await open();
  await page.goto(address());
  await page.getByLabel("CISPO: upper bound").fill("2.5");
  await page.getByLabel("negative: a worse one").check();
  await page.locator("m1-cispo").getByRole("checkbox", { name: "REINFORCE" }).check();
  await page.waitForURL(/reinforce/);
  const query = new URL(page.url()).searchParams;
  expect(Object.fromEntries(query)).toEqual({ cispoMax: "2.5", sign: "negative", objectives: "cispo.grpo.dapo.reinforce" });
  await page.reload();
  expect(await page.getByLabel("CISPO: upper bound").inputValue()).toBe("2.5");
  expect(await page.getByLabel("negative: a worse one").isChecked()).toBe(true);
  expect(await page.locator("m1-cispo").getByRole("checkbox", { name: "REINFORCE" }).isChecked()).toBe(true);
  await page.getByRole("button", { name: "Reset" }).click();
  await page.waitForURL((url) => url.search === "");
  await page.context().close();
});

test("values that are out of range are ignored", async () => {
  const { page, problems } = await open();
  await page.goto(address("?cispoMax=-3&sign=up&objectives=cispo.ppo&ratio=x"));
  expect(await page.getByLabel("CISPO: upper bound").inputValue()).toBe("5");
  expect(await page.getByRole("checkbox", { name: "GRPO, PPO" }).isChecked()).toBe(true);
  expect(problems).toEqual([]);
  await page.context().close();
});

/** The weights of the definitions: CISPO clips the ratio; the others drop a token with a positive advantage above their bound. */
test("weights are those of the definitions", async () => {
  const { page } = await open();
  await page.goto(address("?cispoMax=4&ratio=8"));
  const reading = await page.locator("m1-cispo .view-reading").textContent();
  expect(reading).toBe(
    "A token with ratio 8 and a positive advantage: CISPO weights it by 4; GRPO, PPO drops it (weight 0); DAPO drops it (weight 0).",
  );
  await page.locator("m1-cispo m1-figure summary").click();
  const rows = await page.locator("m1-cispo m1-figure tbody tr").allTextContents();
  const cells = await page
    .locator("m1-cispo m1-figure tbody tr")
    .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => Number(cell.textContent))));
  expect(rows.length).toBeGreaterThan(10);
  for (const [r, cispo, grpo, dapo] of cells as [number, number, number, number][]) {
    expect(cispo).toBeCloseTo(Math.min(r, 4), 3);
    expect(grpo).toBeCloseTo(r > 1.2 ? 0 : r, 3);
    expect(dapo).toBeCloseTo(r > 1.28 ? 0 : r, 3);
  }
  await page.context().close();
});

test("the figure and its data can be saved", async () => {
  const { page } = await open();
  await page.goto(address());
  const save = async (name: string) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("m1-cispo").getByRole("button", { name }).click()]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
  };
  const picture = await save("Save SVG");
  expect(picture.name).toBe("token-weight-positive.svg");
  expect(picture.text).toMatch(/^<svg/);
  expect(picture.text).not.toContain("var(");
  const data = await save("Save data (JSON)");
  expect(data.name).toBe("token-weight-positive.json");
  const { ratios, weights } = JSON.parse(data.text);
  expect(ratios.length).toBe(321);
  expect(Object.keys(weights)).toEqual(["cispo", "grpo", "dapo"]);
  expect(weights.cispo.at(-1)).toBeCloseTo(5, 9);
  await page.context().close();
});

test("the study's curves and its comparison follow the choice of task, arms and goal", async () => {
  const { page, problems } = await open();
  await page.goto(address("?arms=cispo.dapo.reinforce"));
  const view = page.locator("m1-cispo-study");
  const reading = () => view.locator(".view-reading").textContent();
  expect(await reading()).toBe(
    "To reach half of DAPO's gain (59.4 % right answers), " +
      "CISPO with upper bound 5 needs 0.63 times as many updates as DAPO (95 % interval 0.56 to 0.67); " +
      "REINFORCE needs 0.63 times as many updates as DAPO (95 % interval 0.56 to 0.67).",
  );
  expect(await view.locator("tbody tr").count()).toBe(31);
  await view.getByLabel(/T2/).check();
  await view.getByLabel("Updates are compared to reach").selectOption("1");
  const { ratio, censored } = verdicts[1]!.sweep.cispo["1"];
  expect(await reading()).toContain(`CISPO with upper bound 5 needs at least ${ratio.toFixed(2)} times as many`);
  expect(await reading()).toContain(`${censored[0]} of 5 runs do not reach it`);
  await page.waitForURL(/goal=1/);
  expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({
    arms: "cispo.dapo.reinforce",
    studyTask: "brackets",
    goal: "1",
  });
  const [download] = await Promise.all([page.waitForEvent("download"), view.getByRole("button", { name: "Save data (JSON)" }).click()]);
  expect(download.suggestedFilename()).toBe("cispo-study-brackets.json");
  expect(problems).toEqual([]);
  await page.context().close();
});

test("a run learns in a worker, which is loaded when it is started; it can be stopped and started again", async () => {
  const { page, problems, bytes } = await open();
  await page.goto(address("?objective=grpo&seed=2"), { waitUntil: "networkidle" });
  const view = page.locator("m1-cispo-run");
  const rewards = () => view.locator("tbody tr").evaluateAll((rows) => rows.map((row) => Number(row.children[1]!.textContent)));
  const before = bytes.size;
  await view.getByLabel("Seed").fill("two");
  expect(await view.getByRole("button", { name: "Start" }).isDisabled()).toBe(true);
  await view.getByLabel("Seed").fill("2");
  await view.getByRole("button", { name: "Start" }).click();
  await expect.poll(async () => (await rewards()).length, { timeout: 120_000 }).toBeGreaterThan(24);
  expect(bytes.size).toBeGreaterThan(before);
  await view.getByRole("button", { name: "Stop" }).press("Enter");
  expect(await view.locator("p[role=status]").textContent()).toBe("Stopped.");
  const reached = await rewards();
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(mean(reached.slice(-3))).toBeGreaterThan(3 * mean(reached.slice(0, 3)));
  expect(await view.locator(".cispo-samples li").count()).toBe(6);
  expect(await view.locator(".cispo-samples li").first().textContent()).toMatch(/^\d \d \d → [\d· ]+ (✓ right|✗ wrong)$/);
  await page.reload();
  expect(await view.locator(".figure-legend").textContent()).toBe("GRPO, PPO, seed 2");
  expect(await rewards()).toEqual(reached);
  expect(await view.locator(".cispo-samples li").count()).toBe(6);

  await view.getByLabel("Objective of the run").selectOption("cispo");
  await view.getByRole("button", { name: "Start" }).click();
  await expect.poll(() => view.locator(".figure-legend li").allTextContents()).toEqual(["GRPO, PPO, seed 2", "CISPO, seed 2"]);
  await expect.poll(() => view.locator("tbody tr").first().locator("td").nth(4).textContent(), { timeout: 60_000 }).not.toBe("–");
  await page.reload();
  await expect
    .poll(() => view.locator("p[role=status]").textContent())
    .toMatch(/^The run with CISPO, seed 2 ended after \d+ of 80 batches/);
  expect(await view.locator(".figure-legend li").count()).toBe(2);
  expect(problems).toEqual([]);
  await page.context().close();
});

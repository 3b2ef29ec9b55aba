import { readFileSync } from "node:fs";
import { expect, inject, test } from "vitest";
import { useBrowser } from "../support/browser.ts";

const open = useBrowser();
const address = (query = "") => `${inject("site")}cispo/${query}`;

test("the address holds the state, and a reload keeps it", async () => {
  const { page } = await open();
  await page.goto(address());
  await page.getByLabel("CISPO: upper bound").fill("2.5");
  await page.getByLabel("negative: a worse one").check();
  await page.getByRole("checkbox", { name: "REINFORCE" }).check();
  await page.waitForURL(/reinforce/);
  const query = new URL(page.url()).searchParams;
  expect(Object.fromEntries(query)).toEqual({ cispoMax: "2.5", sign: "negative", objectives: "cispo.grpo.dapo.reinforce" });
  await page.reload();
  expect(await page.getByLabel("CISPO: upper bound").inputValue()).toBe("2.5");
  expect(await page.getByLabel("negative: a worse one").isChecked()).toBe(true);
  expect(await page.getByRole("checkbox", { name: "REINFORCE" }).isChecked()).toBe(true);
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
  const reading = await page.locator(".view-reading").textContent();
  expect(reading).toBe(
    "A token with ratio 8 and a positive advantage: CISPO weights it by 4; GRPO, PPO drops it (weight 0); DAPO drops it (weight 0).",
  );
  await page.locator("m1-figure summary").click();
  const rows = await page.locator("m1-figure tbody tr").allTextContents();
  const cells = await page
    .locator("m1-figure tbody tr")
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
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
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

import { readFileSync } from "node:fs";
import { cacheBytes, decaySlopes, type MiniMaxM1 } from "lightning-m1";
import type { Page } from "playwright";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { makeQuestion } from "../../src/views/think/questions.ts";
import { axeViolations, expectNoSidewaysScroll, searchSite, setTheme, useBrowser } from "../support/browser.ts";
import { answerTokens, loadInNode } from "../support/node-answers.ts";

const open = useBrowser();
const address = (query = "") => `${inject("site")}look-inside/${query}`;
const PUZZLE = "?task=arithmetic-chain&level=1";

let model: MiniMaxM1;
/** The tokens of the puzzle and of its answer, as Node generates them. */
let ids: number[];

const options = (page: Page) => page.locator(".look-tokens [role=option]");
const status = (page: Page) => page.locator(".look-status").textContent();
const isDone = (page: Page) => expect.poll(() => status(page), { timeout: 60_000 }).toMatch(/tokens\. Choose one/);
const reading = (page: Page) => page.locator(".look-reading").textContent();
const figure = (page: Page, title: string | RegExp) =>
  page.locator("m1-figure").filter({ has: page.locator("figcaption", { hasText: title }) });
/** The rows of a figure's table, and their cells. */
const table = (page: Page, title: string | RegExp): Promise<string[][]> =>
  figure(page, title)
    .locator("tbody tr")
    .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent ?? "")));

async function json(page: Page, title: string | RegExp) {
  const save = figure(page, title).getByRole("button", { name: "Save data (JSON)" });
  const [download] = await Promise.all([page.waitForEvent("download"), save.click()]);
  return JSON.parse(readFileSync(await download.path(), "utf8"));
}

beforeAll(async () => {
  model = await loadInNode();
  ids = await answerTokens(model, makeQuestion({ task: "arithmetic-chain", level: "1", index: 0 }));
});
afterAll(() => model.dispose());

test("a run is that of Node, and each of its tokens shows experts, probabilities and attention of Node's forward pass", async () => {
  const { page, problems } = await open();
  await page.goto(address(`${PUZZLE}&layer=8&head=3`));
  await isDone(page);
  const { tokens } = await json(page, /^Attention of layer 8, head 3/);
  expect(tokens).toEqual(ids.map((id) => model.tokenizer!.decode([id])));
  expect(await options(page).count()).toBe(ids.length);
  const whole = model.forward([ids], { routerLogits: true, attention: true });

  const t = 12;
  await options(page).nth(t).click();
  await page.waitForURL(/token=13/);
  await expect.poll(() => reading(page)).toMatch(/^Token 13 of \d+, “.+”, .* Layer 8, head 3 looks most at/);
  await expect.poll(() => figure(page, /^Attention of layer 8, head 3 at token 13/).count()).toBe(1);
  const attention = await json(page, /^Attention of layer 8/);
  const row = (2 * ids.length + t) * ids.length;
  expect(attention.shares).toHaveLength(t + 1);
  for (const [s, share] of attention.shares.entries()) expect(share).toBeCloseTo(whole.attention[7]![row + s]!, 4);
  const { experts } = await json(page, /^Experts of each layer for token 13/);
  for (const [layer, choices] of experts.entries()) {
    const router = whole.routerLogits[layer]!.subarray(t * 8, (t + 1) * 8);
    const order = [...router.keys()].sort((a, b) => router[b]! - router[a]!);
    expect(choices.map(({ expert }: { expert: number }) => expert)).toEqual(order.slice(0, 2).map((e) => e + 1));
    expect(choices[0].weight).toBeCloseTo(1 / (1 + Math.exp(router[order[1]!]! - router[order[0]!]!)), 3);
  }
  const { next } = await json(page, /^The most probable tokens after token 13/);
  const logits = [...whole.logits.subarray(t * model.config.vocabSize, (t + 1) * model.config.vocabSize)];
  const sum = logits.reduce((total, x) => total + Math.exp(x - Math.max(...logits)), 0);
  for (const { id, probability } of next) expect(probability).toBeCloseTo(Math.exp(logits[id]! - Math.max(...logits)) / sum, 4);
  // A softmax layer has no states, whose norms could be shown.
  expect(await page.getByText("Layer 8 has softmax attention: nothing decays").isVisible()).toBe(true);
  expect(await page.locator("m1-figure:visible").filter({ hasText: "Norms of the states" }).count()).toBe(0);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("a run with all its tables has no violations of WCAG 2.2 AA, in both themes and for both kinds of attention", async () => {
  const { page, problems } = await open();
  for (const [theme, query] of [
    ["dark", "&layer=1&head=4&token=20"],
    ["light", "&layer=7&head=4&token=30"],
    ["dark", "&layer=8&head=1&model=real&realLayer=8"],
  ] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.goto(address(PUZZLE + query));
    await setTheme(page, theme);
    await isDone(page);
    await page.locator("main details:visible").evaluateAll((all) => {
      for (const details of all as HTMLDetailsElement[]) details.open = true;
    });
    expect(await axeViolations(page), query).toEqual([]);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  await page.waitForTimeout(200);
  await expectNoSidewaysScroll(page);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("the keyboard chooses tokens; the address keeps token, layer and head", async () => {
  const { page, problems } = await open();
  await page.goto(address(`${PUZZLE}&token=5`));
  await isDone(page);
  const chosen = () => page.locator(".look-tokens [aria-selected=true]").evaluateAll((all) => all.map(({ id }) => id.split("-").at(-1)));
  await expect.poll(chosen).toEqual(["4"]);
  const list = page.getByRole("listbox", { name: "Tokens of the run" });
  await list.focus();
  for (const [key, index] of [
    ["ArrowRight", 5],
    ["Home", 0],
    ["ArrowLeft", 0],
    ["End", (await options(page).count()) - 1],
  ] as const) {
    await page.keyboard.press(key);
    await expect.poll(chosen).toEqual([String(index)]);
    expect(await list.getAttribute("aria-activedescendant")).toMatch(new RegExp(`-${index}$`));
  }
  // A held key repeats faster than the charts are drawn.
  for (let press = 0; press < 20; press++) await page.keyboard.down("ArrowLeft");
  await page.keyboard.up("ArrowLeft");
  const afterPresses = (await options(page).count()) - 21;
  expect(await chosen()).toEqual([String(afterPresses)]);
  await list.evaluate((element) => {
    for (let press = 0; press < 20; press++) element.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", cancelable: true }));
  });
  expect(await chosen()).toEqual([String(afterPresses + 20)]);
  await expect.poll(() => reading(page)).toContain(`Token ${afterPresses + 21} of `);
  await page.keyboard.press("ArrowUp");
  await expect.poll(async () => Number((await chosen())[0])).toBeLessThan((await options(page).count()) - 1);
  await page.keyboard.press("ArrowDown");
  await page.getByRole("combobox", { name: "Layer" }).first().selectOption("4");
  await page.getByRole("combobox", { name: "Head" }).first().selectOption("5");
  await page.getByRole("button", { name: "Previous token" }).click();
  await page.waitForURL((url) => url.searchParams.get("head") === "5" && url.searchParams.get("token") === String(ids.length - 1));
  await expect.poll(() => reading(page)).toContain(`Token ${ids.length - 1} of `);
  const before = await reading(page);
  await page.reload();
  await isDone(page);
  await expect.poll(() => reading(page)).toBe(before);
  expect(before).toContain("The state of layer 4, head 5 now consists mostly of");
  expect(problems).toEqual([]);
  await page.context().close();
});

test("memory, half-lives and decay are those of the library, for both models", async () => {
  const { page, problems } = await open();
  await page.goto(address(`${PUZZLE}&layer=3&head=4&token=10`));
  await isDone(page);
  const { config } = model;
  const state = cacheBytes(config, 0);
  expect(state).toBe(7 * 6 * 32 * 32 * 4);
  // 10 tokens take one page of 64 in each cache.
  await expect.poll(() => page.locator(".look-bytes").allTextContents()).toEqual(["168 KiB", "32 KiB", "256 KiB"]);
  const memory = await json(page, /^Memory of the bundled model/);
  for (const point of memory.bytes) {
    expect(point.states).toBe(state);
    expect(point.states + point.cache).toBe(cacheBytes(config, point.tokens));
  }
  expect((await table(page, /^Memory of the bundled model/)).map(([tokens]) => tokens)).toContain("10");
  const { halfLives } = await json(page, /^Half-life of each head of the bundled model/);
  for (let layer = 0; layer < 7; layer++) {
    for (const [head, slope] of decaySlopes(config, layer).entries()) expect(halfLives[layer][head]).toBeCloseTo(Math.LN2 / slope, 6);
  }
  expect(halfLives[7]).toBeNull();
  expect((await table(page, /^Half-life of each head of the bundled model/)).at(-1)).toEqual(["8", "softmax", ...new Array(6).fill("∞")]);
  expect(await page.getByText("7 layers × 6 heads × 32 × 32 numbers. After 10 tokens, they take 168 KiB").isVisible()).toBe(true);
  const decay = await json(page, /^What is left of a token in layer 3/);
  expect(decay.slopes).toEqual([...decaySlopes(config, 2)]);
  const { points } = await json(page, /^What the state of layer 3, head 4 still holds of token 10/);
  expect(points).toHaveLength(ids.length - 9);
  for (const { later, left } of points) expect(left).toBeCloseTo(Math.exp(-later * decay.slopes[3]), 9);
  const state10 = model.forward([ids.slice(0, 10)], { states: true }).lightningStates[2]!.subarray(3 * 1024, 4 * 1024);
  const norm = (numbers: Float32Array) => Math.hypot(...numbers);
  const rows = await table(page, /^What is left of a token in layer 3/);
  const hundred = rows.find(([n]) => n === "100")!;
  expect(Number.parseFloat(hundred[4]!)).toBeCloseTo(100 * Math.exp(-100 * decay.slopes[3]), 1);
  const norms = await table(page, /^Norms of the states of layer 3/);
  expect(Number(norms.find(([token]) => token === "10")![5]!.replace(",", "")) / norm(state10)).toBeCloseTo(1, 2);

  await page.getByLabel("MiniMax-M1: 456 billion parameters").check();
  await expect.poll(() => figure(page, /^Memory of MiniMax-M1/).count()).toBe(1);
  const real = (await table(page, /^Memory of MiniMax-M1/)).at(-1)!;
  expect(real).toEqual(["1,048,576", "280 MiB", "40 GiB", "320 GiB"]);
  expect(await page.getByText("70 layers × 64 heads × 128 × 128 numbers").isVisible()).toBe(true);
  await page.getByRole("slider", { name: "Layer" }).fill("79");
  await expect.poll(() => figure(page, /^What is left of a token in layer 79 of MiniMax-M1/).count()).toBe(1);
  await page.waitForURL(/realLayer=79/);
  expect(await page.getByText("The half-lives of the 64 heads of layer 79 are").isVisible()).toBe(true);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("the search finds the sections of the page", async () => {
  const { page, problems } = await open();
  await page.goto(address());
  for (const [words, section] of [
    ["decay slope", "/look-inside/#decay"],
    ["half-life", "/look-inside/#decay"],
    ["state that never grows", "/look-inside/#memory"],
    ["router picks experts", "/look-inside/#token"],
  ] as const) {
    expect(await searchSite(page, words), words).toContain(section);
  }
  expect(problems).toEqual([]);
  await page.context().close();
});

test("a run can be stopped, and another puzzle starts another run", async () => {
  const { page, problems } = await open();
  await page.goto(address());
  // The run takes about a second, so that the page itself must press the button in time.
  await page.waitForFunction(
    () => {
      if (document.querySelectorAll(".look-tokens [role=option]").length <= 50) return false;
      [...document.querySelectorAll("button")].find(({ textContent }) => textContent === "Stop")!.click();
      return true;
    },
    undefined,
    { timeout: 60_000 },
  );
  const stopped = await options(page).count();
  expect(await status(page)).toBe(`Stopped after ${stopped} tokens.`);
  await page.waitForTimeout(300);
  expect(await options(page).count()).toBe(stopped);
  await page.getByRole("combobox", { name: "Puzzle" }).selectOption("arithmetic-chain");
  await page.getByRole("combobox", { name: "Level" }).selectOption("1");
  await isDone(page);
  expect(await options(page).count()).toBe(ids.length);
  expect(problems).toEqual([]);
  await page.context().close();
});

import type { Page } from "playwright";
import { expect, inject, test } from "vitest";
import recorded from "../../src/views/think/recorded-run.json";
import { useBrowser } from "../support/browser.ts";
import { sampledText, shownText } from "../support/node-answers.ts";

const open = useBrowser();
const QUESTION = "Compute 3 + 4 - 2";
const ANSWER = "<think>\n3 + 4 - 2\n= 7 - 2\n= 5\n</think>\n<answer>5</answer>";

const region = (page: Page, name: string) => page.getByRole("region", { name }).locator("pre").textContent();
const status = (page: Page) => page.locator(".live-model [role=status]").textContent();
const verdict = (page: Page) => page.locator(".think-verdict").textContent();
const isReady = (page: Page) => expect.poll(() => status(page), { timeout: 60_000 }).toMatch(/^Ready: the bundled model/);

async function expectText(page: Page, text: string): Promise<void> {
  await expect
    .poll(async () => [await region(page, "Thinking"), await region(page, "Answer")], { timeout: 60_000 })
    .toEqual(shownText(text));
}

test("a recorded run plays, then the model answers live and is judged; the address holds the question", async () => {
  const { page, problems } = await open();
  await page.goto(`${inject("site")}think/`);
  await expectText(page, recorded.tokens.map(([text]) => text).join(""));
  await expect.poll(() => verdict(page)).toMatch(/^Right All rules hold/);
  await expect.poll(() => page.getByLabel("Question: a puzzle").inputValue()).toBe(recorded.question);
  await isReady(page);
  expect(await status(page)).toMatch(/with \d+ threads? and/);

  await page.getByLabel("Question: a puzzle").fill(QUESTION);
  await page.getByLabel("Temperature").fill("0");
  await page.getByRole("button", { name: "Think" }).focus();
  await page.keyboard.press("Enter");
  await expectText(page, ANSWER);
  await expect.poll(() => verdict(page)).toBe("Right All rules hold.Answer that was read: 5");
  expect(await page.locator(".think-rate").textContent()).toMatch(/^\d+ tokens, [\d.,]+ tokens\/s$/);
  await page.waitForURL(/temperature=0/);
  const { search, hash } = new URL(page.url());
  expect(search).toBe("?temperature=0");
  // Browsers do not send the fragment.
  expect(Object.fromEntries(new URLSearchParams(hash.slice(1)))).toEqual({ question: QUESTION });
  await page.reload();
  await expect.poll(() => page.getByLabel("Question: a puzzle").inputValue()).toBe(QUESTION);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("sampled text is that of Node, without isolation too; a run can be stopped; other questions are not judged", async () => {
  const { page, problems } = await open();
  await page.goto(`${inject("plainSite")}think/?task=number-target&level=3&puzzle=4&seed=7`);
  await isReady(page);
  expect(await status(page)).toContain("with 1 thread and");
  expect(await page.locator(".live-model-hint").textContent()).toContain("not cross-origin isolated");
  const question = await page.getByLabel("Question: a puzzle").inputValue();
  expect(question).toMatch(/^Make \d+ from/);
  const think = page.getByRole("button", { name: "Think" });
  await think.click();
  const text = await sampledText(question, 7, (await status(page))!);
  await expectText(page, text);
  await expect.poll(() => verdict(page)).toMatch(/^(Right|Wrong)/);

  // The run is short, so the page itself presses Stop, when some text has arrived.
  await page.evaluate(() => {
    const thinking = document.querySelector(".think-run section pre")!;
    const stop = [...document.querySelectorAll<HTMLButtonElement>(".think-actions button")].find(
      ({ textContent }) => textContent === "Stop",
    )!;
    new MutationObserver((_, observer) => {
      if (thinking.textContent!.length < 5 || stop.disabled) return;
      observer.disconnect();
      stop.click();
    }).observe(thinking, { childList: true, characterData: true, subtree: true });
  });
  await think.click();
  await expect.poll(() => verdict(page)).toBe("Stopped.");
  const stopped = await region(page, "Thinking");
  await page.waitForTimeout(300);
  expect(await region(page, "Thinking")).toBe(stopped);
  expect(shownText(text)[0].startsWith(stopped!)).toBe(true);
  expect(stopped!.length).toBeLessThan(shownText(text)[0].length);

  await page.getByLabel("Question: a puzzle").fill("Who are you?");
  await page.getByLabel("Question: a puzzle").press("Control+Enter");
  await expect.poll(() => verdict(page), { timeout: 60_000 }).toMatch(/^Not judged/);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("a link to another question shows that question only; what cannot be read leaves the address; a wrong seed runs nothing", async () => {
  const { page, problems } = await open();
  await page.goto(`${inject("site")}think/?temperature=99&seed=-3&level=7#question=${encodeURIComponent(QUESTION)}`);
  await isReady(page);
  expect(await page.getByLabel("Question: a puzzle").inputValue()).toBe(QUESTION);
  expect(new URL(page.url()).search).toBe("");
  expect(await verdict(page)).toMatch(/^Press Think/);
  expect(await page.locator(".think-run").isHidden()).toBe(true);

  await page.getByLabel("Seed").fill("abc");
  await page.getByRole("button", { name: "Think" }).click();
  expect(await verdict(page)).toMatch(/^Seed: Enter a whole number/);
  expect(await page.locator(".think-run").isHidden()).toBe(true);
  await page.getByLabel("Seed").fill("3");
  await page.getByLabel("Temperature").fill("0");
  await page.getByRole("button", { name: "Think" }).click();
  await expectText(page, ANSWER);
  expect(problems).toEqual([]);
  await page.context().close();
});

test("a worker that has ended is started again", async () => {
  const { page } = await open();
  await page.goto(`${inject("site")}think/?temperature=0#question=${encodeURIComponent(QUESTION)}`);
  await isReady(page);
  const think = page.getByRole("button", { name: "Think" });
  for (let round = 0; round < 2; round++) {
    await think.click();
    await expectText(page, ANSWER);
    await expect.poll(() => verdict(page)).toMatch(/^Right/);
    for (const worker of page.workers()) {
      if (worker.url().includes("lightning-m1-worker")) await worker.evaluate(() => self.close()).catch(() => {});
    }
  }
  await page.context().close();
});

test("puzzles whose worker cannot be started: the reason, and no endless run", async () => {
  const { page } = await open();
  await page.route(/puzzle-worker/, (route) => route.abort());
  await page.goto(`${inject("site")}think/?temperature=0#question=${encodeURIComponent(QUESTION)}`);
  await isReady(page);
  await page.getByRole("button", { name: "Think" }).click();
  await expectText(page, ANSWER);
  await expect.poll(() => verdict(page)).toContain("check the connection");
  expect(await page.getByRole("button", { name: "Stop" }).isDisabled()).toBe(true);
  await page.unroute(/puzzle-worker/);
  await page.getByRole("button", { name: "Think" }).click();
  await expect.poll(() => verdict(page)).toMatch(/^Right/);
  await page.context().close();
});

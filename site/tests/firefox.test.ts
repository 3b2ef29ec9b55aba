// The site in Firefox: every view does its work, with threads and without, a guide is shown, and the search finds it.
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { cors } from "hono/cors";
import type { ElementHandle, Page } from "puppeteer-core";
import { describe, expect, inject, test } from "vitest";
import { makeQuestion } from "../src/views/think/questions.ts";
import { control, runsFirefox, tableCells, textOf, useFirefox } from "./support/firefox.ts";
import { answerTokens, loadInNode, sampledText, shownText } from "./support/node-answers.ts";

const LONG = { timeout: 60_000 };
const MODEL = fileURLToPath(new URL("../../models/m1-puzzles", import.meta.url));
const expectText = (page: Page, selector: string, text: RegExp) => expect.poll(() => textOf(page, selector), LONG).toMatch(text);
const fieldValue = (page: Page, selector: string) => page.$eval(selector, (field) => (field as HTMLInputElement).value);

describe.runIf(runsFirefox)("Firefox", () => {
  const open = useFirefox();

  describe.each([
    ["with threads", "site", /with [2-9]\d* threads and/],
    ["without isolation", "plainSite", /with 1 thread and/],
  ] as const)("%s", (_, server, threads) => {
    test("Think: the text of a seed is that of Node, and it is judged", async () => {
      const { page, problems, close } = await open();
      await page.goto(`${inject(server)}think/?task=number-target&level=3&puzzle=4&seed=7`);
      const status = ".live-model [role=status]";
      await expectText(page, status, /^Ready: the bundled model/);
      expect(await textOf(page, status)).toMatch(threads);
      await control(page, "Think").click();
      const text = await sampledText(await fieldValue(page, ".think-input"), 7, await textOf(page, status));
      const shown = () => page.$$eval(".think-run section pre", (all) => all.map((part) => part.textContent));
      await expect.poll(shown, LONG).toEqual(shownText(text));
      await expectText(page, ".think-verdict", /^(Right|Wrong)/);
      expect(problems).toEqual([]);
      await close();
    });

    test("Look inside: figures of a token, which a reload keeps", async () => {
      const { page, problems, close } = await open();
      await page.goto(`${inject(server)}look-inside/?task=arithmetic-chain&level=1&layer=8&head=3`);
      await expectText(page, ".look-status", /tokens\. Choose one/);
      using model = await loadInNode();
      const ids = await answerTokens(model, makeQuestion({ task: "arithmetic-chain", level: "1", index: 0 }));
      expect(await page.$$eval(".look-tokens [role=option]", (all) => all.length)).toBe(ids.length);
      await page.locator(".look-tokens [role=option]:nth-child(13)").click();
      await expectText(page, ".look-reading", /^Token 13 of \d+, “.+”, .* Layer 8, head 3 looks most at/);
      const reading = await textOf(page, ".look-reading");
      await expect.poll(() => page.$$eval("m1-figure svg[role=img]", (all) => all.length)).toBeGreaterThan(3);
      await page.reload();
      await expect.poll(() => textOf(page, ".look-reading"), LONG).toBe(reading);
      expect(problems).toEqual([]);
      await close();
    });

    test("Long context: a model is measured", async () => {
      const { page, problems, close } = await open();
      await page.goto(`${inject(server)}long-context/?models=lightning&budget=none`);
      await control(page, "Measure").click();
      const measured = async () => (await tableCells(page, "[data-part=generated]")).filter((cells) => cells[1] !== "–");
      await expect.poll(async () => (await measured()).length, LONG).toBeGreaterThan(1);
      for (const cells of await measured()) expect(Number(cells[1])).toBeGreaterThan(0);
      await control(page, "Stop").click();
      expect(await textOf(page, ".long-context-status")).toBe("Stopped.");
      expect(problems).toEqual([]);
      await close();
    });

    test("The real model: requirements follow the context", async () => {
      const { page, problems, close } = await open();
      await page.goto(`${inject(server)}real-model/`);
      await expectText(page, ".tree-details", /456,089,655,296/);
      await control(page, "Tokens per user").fill("200k");
      await control(page, "Users at the same time").fill("100");
      await expectText(page, ".plan", /8 H800 have too little memory for 100 users with 200,000 tokens each\./);
      expect(problems).toEqual([]);
      await close();
    });

    test("CISPO: weights follow the bound, figures are saved, a run learns", async () => {
      const { page, problems, saved, close } = await open();
      await page.goto(`${inject(server)}cispo/?ratio=8`);
      const lines = () => page.$$eval("m1-cispo m1-figure path", (all) => all.map((path) => path.getAttribute("d")).join());
      await expect.poll(lines).not.toBe("");
      const before = await lines();
      await control(page, "CISPO: upper bound").fill("2.5");
      await expectText(page, "m1-cispo .view-reading", /: CISPO weights it by 2\.5; /);
      expect(await lines()).not.toBe(before);
      await control(page, "Save SVG").click();
      expect(await saved("token-weight-positive.svg")).toMatch(/^<svg/);
      await control(page, "Save data (JSON)").click();
      expect(JSON.parse(await saved("token-weight-positive.json")).weights.cispo.at(-1)).toBeCloseTo(2.5, 9);
      await control(page, "Start").click();
      await expect.poll(async () => (await tableCells(page, "m1-cispo-run")).length, LONG).toBeGreaterThan(2);
      await control(page, "Stop").click();
      await expectText(page, "m1-cispo-run p[role=status]", /^Stopped\.$/);
      expect(problems).toEqual([]);
      await close();
    });

    test("Tasks: answers are judged, and a reload keeps them", async () => {
      const { page, problems, close } = await open();
      await page.goto(`${inject(server)}tasks/`);
      await expectText(page, ".task-question[aria-busy=false]", /Kukurasu puzzle of 2 rows/);
      const answer = page.locator("m1-tasks textarea");
      await answer.fill('[["X", "X"], ["X", "X"]]');
      await control(page, "Check the answer").click();
      await expectText(page, ".task-verdict", /^Wrong Row 1/);
      await control(page, "Show a solution").click();
      await control(page, "Put it into the answer field").click();
      await control(page, "Check the answer").click();
      await expectText(page, ".task-verdict", /^Right All rules hold\./);
      const right = await fieldValue(page, "m1-tasks textarea");
      await page.reload();
      await expect.poll(() => fieldValue(page, "m1-tasks textarea")).toBe(right);
      expect(problems).toEqual([]);
      await close();
    });
  });

  test("a download is kept, loads without a connection after a reload, and is deleted", async () => {
    const app = new Hono().use(cors({ exposeHeaders: ["*"] })).use(serveStatic({ root: MODEL }));
    const server = createAdaptorServer(app).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const { page, problems, close } = await open();
    await page.goto(`${inject("site")}think/#model=${encodeURIComponent(address)}`);
    const load = async () => {
      await expectText(page, ".live-model [role=status]", /^Ready: the bundled model/);
      await control(page, "Load from URL").click();
      await expectText(page, ".live-model [role=status]", /^Ready: 127\.0\.0\.1/);
    };
    await load();
    await expectText(page, ".think-stored li", /: [\d.]+ MiB, complete/);
    server.close();
    (server as Server).closeAllConnections();
    await page.reload();
    await load();
    await page.locator(".think-stored button").click();
    await expect.poll(() => page.$$eval(".think-stored li", (all) => all.length)).toBe(0);
    // The server has not all files that a checkpoint may have, and does not answer after it was closed.
    expect(problems.filter((problem) => !problem.startsWith(`failed: ${address}`))).toEqual([]);
    await close();
  });

  test("a model is loaded from the files of a folder", async () => {
    const { page, problems, close } = await open();
    await page.goto(`${inject("site")}think/`);
    await expectText(page, ".live-model [role=status]", /^Ready: the bundled model/);
    // Puppeteer can choose files only, not the folder.
    const input = (await page.$(".think-other input[type=file]")) as ElementHandle<HTMLInputElement>;
    await input.uploadFile(...["config.json", "model.safetensors", "tokenizer.json"].map((file) => join(MODEL, file)));
    await expectText(page, ".live-model [role=status]", /^Ready: your model \(3\.41 M parameters\)/);
    expect(problems).toEqual([]);
    await close();
  });

  test("a guide, and the search", async () => {
    const { page, problems, close } = await open();
    await page.goto(`${inject("site")}guides/browser/`);
    expect(await textOf(page, "h1")).toBe("In the browser");
    await page.locator("button[data-open-modal]").click();
    await page.locator("dialog[open] input").fill("content security policy");
    const found = () => page.$$eval("dialog .pagefind-ui__result-link", (all) => all.map((link) => link.getAttribute("href")));
    await expect.poll(found, LONG).toContain("/guides/browser/#content-security-policy");
    expect(problems).toEqual([]);
    await close();
  });
});

// Measures what a visitor of the page Think waits for: `npm run site:speed`, on the built site in Chromium. Prints medians of several visits.
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";
import { serve } from "./serve.mjs";

const VISITS = 5;
const LOADS = 20;
const model = fileURLToPath(new URL("../../models/m1-puzzles", import.meta.url));
const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);
if (!executablePath) {
  console.error("site: speed: no Chromium found (apt-get install chromium, or set CHROMIUM to its path)");
  process.exit(1);
}
// Memory is measured at once, not at the next garbage collection.
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-blink-features=ForceEagerMeasureMemory"];
const browser = await chromium.launch({ executablePath, args });
const servers = { isolated: await serve(), plain: await serve({ isolated: false }) };

/** Runs in the page before its own scripts: notes when text appears, and how long tasks of the main thread are. */
function watch() {
  const times = { recorded: undefined, pressed: undefined, live: undefined, ended: undefined };
  const tasks = [];
  Object.assign(globalThis, { times, tasks });
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) tasks.push({ startTime, duration });
  }).observe({ type: "longtask", buffered: true });
  new MutationObserver(() => {
    const now = performance.now();
    const title = document.querySelector(".think-title")?.textContent ?? "";
    const text = document.querySelector(".think-run section pre")?.textContent ?? "";
    const isLive = title.startsWith("Seed");
    if (text !== "" && !isLive) times.recorded ??= now;
    if (text !== "" && isLive) times.live ??= now;
    if (isLive && /^(Right|Wrong)/.test(document.querySelector(".think-verdict")?.textContent ?? "")) times.ended ??= now;
    const think = [...document.querySelectorAll(".think-actions button")].find(({ textContent }) => textContent === "Think");
    // Pressed as soon as the recorded run is on the screen.
    if (think && times.recorded !== undefined && times.pressed === undefined) {
      times.pressed = now;
      think.click();
    }
  }).observe(document, { childList: true, characterData: true, subtree: true });
}

async function visit(url) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript(watch);
  await page.goto(`${url}think/`);
  await page.waitForFunction(() => globalThis.times.ended !== undefined, undefined, { timeout: 60_000 });
  const { times, tasks } = await page.evaluate(() => ({ times: globalThis.times, tasks: globalThis.tasks }));
  await context.close();
  const longest = Math.max(0, ...tasks.filter(({ startTime }) => startTime >= times.live).map(({ duration }) => duration));
  return { recorded: times.recorded, live: times.live, generating: times.ended - times.live, longest };
}

/** Bytes of the page with its workers, after each of many loads that dispose of the model before. */
async function memoryOfLoads() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${servers.isolated.url}think/`);
  const isReady = (name) => page.locator(".live-model > [role=status]", { hasText: `Ready: ${name}` }).waitFor({ timeout: 60_000 });
  await isReady("the bundled model");
  await page.getByText("Another model").click();
  const folder = page.locator(".think-other input[type=file]");
  const sizes = [];
  for (let load = 0; load < LOADS; load++) {
    const loading = page.locator(".live-model > [role=status]", { hasText: "Loading m1-puzzles" }).waitFor();
    // Choosing the same folder again would change nothing.
    await folder.evaluate((input) => {
      input.value = "";
    });
    await folder.setInputFiles(model);
    await loading;
    await isReady("m1-puzzles");
    sizes.push(await page.evaluate(async () => (await performance.measureUserAgentSpecificMemory()).bytes));
  }
  await context.close();
  return sizes;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const ms = (value) => `${Math.round(value)} ms`.padStart(9);
console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} threads, Chromium ${browser.version()}; medians of ${VISITS} first visits\n`,
);
for (const [name, { url }] of Object.entries(servers)) {
  const visits = [];
  for (let i = 0; i < VISITS; i++) visits.push(await visit(url));
  const of = (key) => median(visits.map((one) => one[key]));
  console.log(`${name === "isolated" ? "cross-origin isolated" : "without isolation"}`);
  console.log(`  recorded run visible      ${ms(of("recorded"))}`);
  console.log(`  first live token          ${ms(of("live"))}   Think was pressed when the recorded run appeared`);
  console.log(`  generating                ${ms(of("generating"))}`);
  const longest = Math.max(...visits.map((one) => one.longest));
  console.log(`  longest task meanwhile    ${longest === 0 ? "  < 50 ms" : ms(longest)}   maximum of all visits`);
}
const sizes = (await memoryOfLoads()).map((bytes) => (bytes / 1e6).toFixed(1));
console.log(`\nmemory in MB after ${LOADS} loads, each of which disposes of the model before:\n  ${sizes.join(" ")}`);
await browser.close();
for (const server of Object.values(servers)) server.close();

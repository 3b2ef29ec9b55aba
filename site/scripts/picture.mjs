// Takes the README's picture of the page from the built site, in Chromium: `node site/scripts/picture.mjs`.
import { existsSync, writeFileSync } from "node:fs";
import { chromium } from "playwright";
import { serve } from "./serve.mjs";

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => path && existsSync(path));
const { url, close } = await serve();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: 1000, height: 700 }, colorScheme: "light", reducedMotion: "reduce" });
await page.goto(`${url}look-inside/?layer=3`);
await page
  .getByText(/^Token \d+ of \d+/)
  .first()
  .waitFor();
await page.getByText(/^Ready/).waitFor();
await page.waitForTimeout(2000);
// From the tabs to the first chart.
const { y: top } = await page.locator(".view-tabs").boundingBox();
const chart = await page.locator("m1-figure svg[role=img]").first().boundingBox();
const png = await page.screenshot({ fullPage: true, clip: { x: 0, y: top, width: 1000, height: chart.y + chart.height - top } });
// WebP takes a third of PNG's bytes, and Chromium writes it.
const webp = await page.evaluate(async (data) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d").drawImage(picture, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.8 });
  return Array.from(new Uint8Array(await blob.arrayBuffer()));
}, png.toString("base64"));
writeFileSync(new URL("../../docs/page.webp", import.meta.url), Uint8Array.from(webp));
await browser.close();
close();

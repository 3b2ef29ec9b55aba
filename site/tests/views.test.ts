// What every view must do: accessibility in both themes, keyboard, narrow windows, size, no errors.
import { expect, inject, test } from "vitest";
import { views } from "../views.mjs";
import { axeViolations, expectNoSidewaysScroll, setTheme, useBrowser } from "./support/browser.ts";

const open = useBrowser();

/** Maximum size of what is transferred until a view is shown, without models. */
const FIRST_PAINT_BYTES = 300_000;

const INTERACTIVE =
  "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex='0']";

test.each(views.map(({ name }) => name))("%s: no violations of WCAG 2.2 AA, no errors, narrow windows", async (name) => {
  const { page, problems } = await open();
  for (const theme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.goto(`${inject("site")}${name}/`);
    await setTheme(page, theme);
    await page.locator("main details").evaluateAll((all) => {
      for (const details of all as HTMLDetailsElement[]) details.open = true;
    });
    expect(await axeViolations(page), theme).toEqual([]);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  await page.waitForTimeout(100);
  await expectNoSidewaysScroll(page);
  expect(problems).toEqual([]);
  await page.context().close();
});

test.each(views.map(({ name }) => name))("%s: at most 300 kB are transferred before it is shown", async (name) => {
  const { page, bytes } = await open();
  await page.goto(`${inject("site")}${name}/`, { waitUntil: "networkidle" });
  // Models and the workers that compute them are loaded when the view is on the screen.
  const paint = [...bytes].filter(([url]) => !/\.(safetensors|wasm)$|\/lightning-m1-worker\b/.test(new URL(url).pathname));
  expect(paint.length).toBeGreaterThan(2);
  expect(paint.reduce((sum, [, size]) => sum + size, 0)).toBeLessThanOrEqual(FIRST_PAINT_BYTES);
  await page.context().close();
});

test.each(views.map(({ name }) => name))("%s: the keyboard reaches every control", async (name) => {
  const { page } = await open();
  await page.goto(`${inject("site")}${name}/`, { waitUntil: "networkidle" });
  const wanted = await page.evaluate((selector) => {
    const groups = new Set<string>();
    const visible = [...document.querySelectorAll<HTMLElement>(`main :is(${selector})`)].filter((item) => {
      // One button of a group of radio buttons is in the order of tabs; arrow keys reach the others.
      const group = item instanceof HTMLInputElement && item.type === "radio" ? item.name : undefined;
      if (group !== undefined && groups.has(group)) return false;
      if (group !== undefined) groups.add(group);
      return item.checkVisibility() && !item.closest("[inert]") && item.tabIndex >= 0;
    });
    for (const [i, item] of visible.entries()) {
      item.dataset.wanted = String(i);
      if (item instanceof HTMLInputElement && item.type === "radio") {
        for (const other of document.querySelectorAll<HTMLInputElement>(`input[name="${item.name}"]`)) other.dataset.wanted = String(i);
      }
    }
    return visible.length;
  }, INTERACTIVE);
  expect(wanted).toBeGreaterThan(0);
  const reached = new Set<string>();
  for (let press = 0; press < wanted + 60 && reached.size < wanted; press++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.wanted);
    if (at !== undefined) reached.add(at);
  }
  expect(reached.size).toBe(wanted);
  await page.context().close();
});

test("with the headers of isolation and without them", async () => {
  for (const [url, isolated] of [
    [inject("site"), true],
    [inject("plainSite"), false],
  ] as const) {
    const { page, problems } = await open();
    await page.goto(`${url}cispo/`);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(isolated);
    await page.locator("m1-figure svg[role=img]").first().waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  }
});

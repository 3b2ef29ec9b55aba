import fc from "fast-check";
import { expect, test } from "vitest";
import { type LossPoint, lossCurve } from "../../src/train/index.js";
import { exponentialMean } from "../../src/train/loss-curve.js";

/** A small part of XML, read strictly: nested elements, quoted attributes, plain text. */
function isWellFormed(xml: string): boolean {
  const open: string[] = [];
  const token = /<(\/?)([a-z]+)((?: [a-zA-Z][\w-]*(?::[a-z]+)?="[^"<&]*")*)(\/?)>|[^<&]+/y;
  let roots = 0;
  for (let at = 0; at < xml.length; at = token.lastIndex) {
    token.lastIndex = at;
    const found = token.exec(xml);
    if (!found) return false;
    const [text, closing, name, attributes, empty] = found;
    if (name === undefined) {
      if (open.length === 0 && text.trim() !== "") return false;
    } else if (closing) {
      if (attributes || empty || open.pop() !== name) return false;
    } else {
      const names = [...attributes!.matchAll(/ ([\w-]+)=/g)].map((match) => match[1]);
      if (new Set(names).size !== names.length || (open.length === 0 && roots++ > 0)) return false;
      if (!empty) open.push(name);
    }
  }
  return open.length === 0 && roots === 1;
}

const count = (svg: string, part: RegExp) => [...svg.matchAll(part)].length;

test("the reader of XML tells good from bad", () => {
  expect(isWellFormed('<a b="1"><c/>text</a>')).toBe(true);
  for (const bad of ["", "<a>", "<a></b>", "<a b=1/>", "<a/><a/>", "<a>&</a>", '<a b="1" b="2"/>', "<a/>text"]) {
    expect(isWellFormed(bad), bad).toBe(false);
  }
});

test.each<[string, LossPoint[]]>([
  ["no points", []],
  ["one point", [{ step: 1, loss: 3 }]],
  ["one held-out point", [{ step: 1, loss: Number.NaN, heldOut: 3 }]],
  ["equal points", Array.from({ length: 5 }, (_, step) => ({ step, loss: 0 }))],
  [
    "NaN and infinities",
    [Number.NaN, 2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((loss, step) => ({ step, loss, heldOut: loss })),
  ],
  ["huge values", [1e300, -1e300, 1.7e308, 5].map((loss, step) => ({ step: step * 1e15, loss }))],
  ["tiny values", [1e-320, 5e-324, 0].map((loss, step) => ({ step, loss }))],
  ["200,000 points", Array.from({ length: 2e5 }, (_, step) => ({ step, loss: 5 / (1 + step), heldOut: 1 }))],
])("well-formed and small: %s", (_, points) => {
  const svg = lossCurve(points);
  expect(isWellFormed(svg)).toBe(true);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(svg.length).toBeLessThan(150_000);
  expect(count(svg, /<line class="grid"/g)).toBeLessThan(13);
});

test("any points: well-formed, within the picture", () => {
  const point = fc.record({ step: fc.double(), loss: fc.double(), heldOut: fc.option(fc.double(), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(point, { maxLength: 20 }), (points) => {
      const svg = lossCurve(points);
      expect(isWellFormed(svg)).toBe(true);
      expect(svg).not.toMatch(/NaN|Infinity|undefined/);
      for (const [, x, y] of svg.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)) {
        expect(Number(x) >= 0 && Number(x) <= 720 && Number(y) >= 0 && Number(y) <= 360).toBe(true);
      }
    }),
  );
});

test("ticks are few and round; lines and dots are there", () => {
  const svg = lossCurve(
    Array.from({ length: 9000 }, (_, i) => ({ step: i + 1, loss: 6 / Math.sqrt(1 + i), ...(i % 250 === 249 && { heldOut: 1 }) })),
  );
  const labels = [...svg.matchAll(/<text [^>]*>([\d.,]+)<\/text>/g)].map((match) => match[1]);
  expect(labels).toEqual(["0", "2", "4", "6", "0", "2,000", "4,000", "6,000", "8,000"]);
  expect(count(svg, /<circle class="held-out"/g)).toBe(36 + 1);
  expect(svg).toMatch(/prefers-color-scheme: dark/);
});

test("the mean has no bias, and passes over what is not finite", () => {
  const mean = exponentialMean(0.9);
  expect(mean(5)).toBeCloseTo(5, 12);
  expect(mean(5)).toBeCloseTo(5, 12);
  expect(mean(Number.NaN)).toBeCloseTo(5, 12);
  expect(mean(Number.POSITIVE_INFINITY)).toBeCloseTo(5, 12);
  expect(mean(1)).toBeLessThan(5);
});

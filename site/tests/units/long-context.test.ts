// The computing of the view "Long context", without a browser.
import { expect, test } from "vitest";
import { type Limits, measure, type Point, type Report, type Stop } from "../../src/views/long-context/measure.ts";
import { LENGTHS, modelNames, parametersOf, predictedBytes, promptFlops, tokenFlops } from "../../src/views/long-context/models.ts";
import { lengthLabel, predict } from "../../src/views/long-context/predictions.ts";
import { comparePoints, describeEnd, explainStop, formatDuration } from "../../src/views/long-context/summary.ts";

const FREE: Limits = { seconds: Number.POSITIVE_INFINITY, bytes: 2 ** 30 };
const noPause = async () => {};

/** Measures until `count` points are there. */
async function pointsOf(names: Parameters<typeof measure>[0], limits: Limits, count: number): Promise<{ points: Point[]; stops: Stop[] }> {
  const reports: Report[] = [];
  for await (const report of measure(names, limits, noPause)) {
    reports.push(report);
    if (reports.filter((one) => "point" in one).length === count) break;
  }
  return {
    points: reports.flatMap((report) => ("point" in report ? [report.point] : [])),
    stops: reports.flatMap((report) => ("stop" in report ? [report.stop] : [])),
  };
}

test("the models have nearly equal sizes", () => {
  const sizes = modelNames.map(parametersOf);
  expect(Math.max(...sizes) / Math.min(...sizes)).toBeLessThan(1.01);
});

test("measured memory is what was predicted: constant for lightning, proportional to the context for softmax", async () => {
  const { points } = await pointsOf(modelNames, FREE, 6);
  expect(points.map(({ model, length }) => `${model} ${length}`)).toEqual(
    [1024, 2048].flatMap((length) => modelNames.map((name) => `${name} ${length}`)),
  );
  for (const { model, length, bytes, prompt, generated } of points) {
    expect(bytes).toBe(predictedBytes(model, length));
    expect(prompt).toBeGreaterThan(0);
    expect(generated).toBeGreaterThan(0);
  }
  // Eight layers, four heads of eight dims: states of 8 × 8 floats; keys and values of 8 floats per head and token.
  for (const length of LENGTHS) {
    expect(predictedBytes("lightning", length)).toBe(8 * 4 * 8 * 8 * 4);
    expect(predictedBytes("softmax", length)).toBe(8 * 4 * 2 * 8 * 4 * length);
    expect(predictedBytes("hybrid", length)).toBe((7 * 8 * 8 + 2 * 8 * length) * 4 * 4);
  }
});

test("a limit of memory or time ends a model, and the others go on", async () => {
  const bytes = predictedBytes("hybrid", 2048);
  const { points, stops } = await pointsOf(modelNames, { ...FREE, bytes }, 6);
  expect(stops).toMatchObject([
    { model: "softmax", length: 0, next: 1024, reason: "memory", needed: predictedBytes("softmax", 1024) },
    { model: "hybrid", length: 2048, next: 4096, reason: "memory", needed: predictedBytes("hybrid", 4096) },
  ]);
  expect(points.at(-1)).toMatchObject({ model: "lightning", length: 8192 });

  const late = await pointsOf(["softmax"], { ...FREE, seconds: 1e-9 }, 99);
  expect(late.points.length).toBe(1);
  expect(late.stops).toMatchObject([{ model: "softmax", length: 1024, next: 2048, reason: "time" }]);
  expect(late.stops[0]!.longest).toBeGreaterThan(late.stops[0]!.needed);
});

test("a pause is awaited between two passes", async () => {
  let passes = 0;
  const pause = async () => {
    passes++;
  };
  for await (const report of measure(["lightning"], FREE, pause)) if ("point" in report) break;
  expect(passes).toBeGreaterThanOrEqual(1024 / 128);
});

test("predicted times grow with the operations, at the median speed of the last three measurements", () => {
  const point = (length: number, generated: number): Point => ({
    model: "lightning",
    length,
    prompt: 0.25,
    generated,
    bytes: 1,
    seconds: 1,
  });
  expect(predict("prompt", "softmax", 4096, [{ ...point(4096, 2), model: "softmax" }])).toBeCloseTo(0.25, 12);
  // The operations of an all-lightning model are the same at every length. One slow measurement does not count.
  const measured = [point(1024, 9), point(2048, 2), point(4096, 3), point(8192, 8)];
  expect(predict("generated", "lightning", 2 ** 20, measured)).toBeCloseTo(3, 12);
  expect(predict("generated", "lightning", 2 ** 20, measured.slice(0, 2))).toBeCloseTo(2, 12);
  const growth = (name: (typeof modelNames)[number]) => predict("generated", name, 2 ** 20, []) / predict("generated", name, 1024, []);
  expect(growth("lightning")).toBe(1);
  expect(growth("softmax")).toBeGreaterThan(500);
  // One of eight layers reads the cache.
  const pairs = (name: (typeof modelNames)[number]) => tokenFlops(name, "generated", 2 ** 20) - tokenFlops(name, "generated", 1024);
  expect(pairs("softmax")).toBe(8 * pairs("hybrid"));
  expect([1024, 2 ** 19, 2 ** 20].map(lengthLabel)).toEqual(["1k", "512k", "1M"]);
  expect(promptFlops("lightning", 1024, 2048)).toBe(promptFlops("lightning", 2048, 3072));
});

test("sentences say where a model stopped, and compare the models", () => {
  const limits = { seconds: 60, bytes: 2 ** 30 };
  const stop = { model: "softmax", length: 32_768, next: 65_536, reason: "time", needed: 131, longest: 46_800 } as const;
  expect(explainStop(stop, limits)).toBe(
    "All softmax stopped after 32,768 tokens: the prompt up to 65,536 tokens needs about 2.2 minutes more, and the limit is 1 minute in all. A prompt of 1,048,576 tokens would take about 13 hours.",
  );
  expect(explainStop({ ...stop, reason: "memory", needed: 2 ** 31 }, limits)).toContain("needs 2 GiB, and the limit is 1 GiB");
  expect([0.2, 1, 59, 90, 7200, 200_000].map(formatDuration)).toEqual([
    "0.2 seconds",
    "1 second",
    "59 seconds",
    "1.5 minutes",
    "2 hours",
    "2.3 days",
  ]);
  const point = (model: Point["model"], length: number): Point => ({ model, length, prompt: 1, generated: 2, bytes: 8192, seconds: 9 });
  const points = [point("lightning", 1024), point("softmax", 1024), point("lightning", 2048)];
  expect(comparePoints(["lightning", "softmax"], points)).toBe(
    "After 1,024 tokens – all lightning: 8 KiB, 2 ms per generated token; all softmax: 8 KiB, 2 ms per generated token.",
  );
  expect(describeEnd(point("lightning", 2 ** 20))).toBe("All lightning has read 1,048,576 tokens in 9 seconds, and keeps 8 KiB.");
  expect(describeEnd(point("lightning", 2 ** 19))).toBeUndefined();
  expect(comparePoints(["lightning", "hybrid"], [point("lightning", 1024)])).toBe("");
});

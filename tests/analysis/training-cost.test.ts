import fc from "fast-check";
import { expect, test } from "vitest";
import { reportedTrainingCost, type TrainingCostOptions, trainingCost } from "../../src/analysis/index.js";
import { InputError } from "../../src/index.js";
import { facts } from "../support/facts.js";

test("512 H800 for three weeks, $534,700", () => {
  const { gpuHours, pricePerHour } = reportedTrainingCost();
  expect([gpuHours, pricePerHour.toFixed(2)]).toEqual([258_048, "2.07"]);
});

test("any three numbers determine the fourth", () => {
  const some = fc.double({ min: 0.01, max: 1e4, noNaN: true });
  fc.assert(
    fc.property(some, some, some, fc.constantFrom("gpus", "days", "pricePerHour", "dollars"), (gpus, days, pricePerHour, left) => {
      const all = trainingCost({ gpus, days, pricePerHour });
      const back = trainingCost({ gpus, days, pricePerHour, dollars: all.dollars, [left]: undefined });
      for (const [key, value] of Object.entries(all)) expect(back[key as keyof typeof back] / value).toBeCloseTo(1, 12);
    }),
  );
});

test("four numbers that agree up to rounding are returned unchanged", () => {
  const given = { gpus: 512, days: 21, pricePerHour: 2.07, dollars: 534_700 };
  expect(trainingCost(given)).toEqual({ ...given, gpuHours: 258_048 });
});

test.each<[TrainingCostOptions, string]>([
  [{ gpus: 512, days: 21, pricePerHour: 3, dollars: 534_700 }, "trainingCost: dollars: …774144.00 = 512 GPUs…21…24…$3…534700"],
  [{ gpus: 512, days: 21 }, "gpus…days…pricePerHour…dollars…pricePerHour, dollars"],
  [{ gpus: 0, days: 1, dollars: 1 }, "trainingCost: gpus: …number…[1e-15, 1e15]…0"],
  [{ gpus: 1, days: Number.NaN, dollars: 1 }, "trainingCost: days: …number…[1e-15, 1e15]…NaN"],
])("%j is refused", (options, message) => {
  expect(() => trainingCost(options)).toThrow(InputError);
  expect(() => trainingCost(options)).toThrow(facts(message));
});

import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { number, parseOptions } from "../base/options.js";
import { printed } from "../base/printed.js";

/** The four numbers of a training cost. Any three determine the fourth. */
export interface TrainingCostOptions {
  gpus?: number;
  days?: number;
  /** Price of one GPU per hour, in dollars. */
  pricePerHour?: number;
  dollars?: number;
}

export interface TrainingCost {
  readonly gpus: number;
  readonly days: number;
  readonly gpuHours: number;
  readonly pricePerHour: number;
  readonly dollars: number;
}

/** Range of each of the four numbers. It covers every real training and keeps their products from overflowing. */
const positive = number("a number within [1e-15, 1e15]", (x) => x >= 1e-15 && x <= 1e15);
const schema = v.strictObject({
  gpus: v.optional(positive),
  days: v.optional(positive),
  pricePerHour: v.optional(positive),
  dollars: v.optional(positive),
});

/** Maximum relative difference that counts as rounding if all four numbers are given. */
const ROUNDING_TOLERANCE = 0.01;

const HOURS_PER_DAY = 24;

/**
 * Computes the missing one of four numbers: `dollars = gpus · days · 24 · pricePerHour`.
 *
 * @throws {InputError} fewer than three numbers, or four that disagree by more than 1 %
 */
export function trainingCost(options: TrainingCostOptions): TrainingCost {
  const given = parseOptions(schema, options, "trainingCost");
  const { gpus, days, pricePerHour, dollars } = given;
  const missing = Object.keys(schema.entries).filter((key) => given[key as keyof typeof given] === undefined);
  if (missing.length > 1) {
    throw new InputError(`trainingCost: expected three of gpus, days, pricePerHour and dollars, got no value for ${missing.join(", ")}`);
  }
  const all = {
    gpus: gpus ?? dollars! / (days! * HOURS_PER_DAY * pricePerHour!),
    days: days ?? dollars! / (gpus! * HOURS_PER_DAY * pricePerHour!),
    pricePerHour: pricePerHour ?? dollars! / (gpus! * days! * HOURS_PER_DAY),
    dollars: dollars ?? gpus! * days! * HOURS_PER_DAY * pricePerHour!,
  };
  const gpuHours = all.gpus * all.days * HOURS_PER_DAY;
  const product = gpuHours * all.pricePerHour;
  if (Math.abs(product - all.dollars) > ROUNDING_TOLERANCE * all.dollars) {
    const hours = `${all.gpus} GPUs · ${all.days} days · ${HOURS_PER_DAY} h · $${all.pricePerHour}`;
    throw new InputError(
      `trainingCost: dollars: expected ${product.toFixed(2)} = ${hours}, got ${printed(all.dollars)} (leave out the number to compute)`,
    );
  }
  return { ...all, gpuHours };
}

/** Returns the cost of the report's reinforcement learning: 512 H800 for three weeks, $534,700. */
export function reportedTrainingCost(): TrainingCost {
  return trainingCost({ gpus: 512, days: 21, dollars: 534_700 });
}

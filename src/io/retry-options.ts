import * as v from "valibot";
import { index, number, parseOptions } from "../base/options.js";
import type { RetryPolicy } from "./retry.js";

const milliseconds = (from: number) => number(`a number of milliseconds within [${from}, 2^31)`, (x) => x >= from && x < 2 ** 31);

/** Schemas of the options of {@link RetryPolicy}, for functions that accept them among others. */
export const retryOptionSchemas = {
  retries: v.optional(index, 4),
  retryDelayMs: v.optional(milliseconds(0), 500),
  stallMs: v.optional(milliseconds(1), 30_000),
};

const schema = v.strictObject(retryOptionSchemas);

export const defaultRetryPolicy: RetryPolicy = v.parse(schema, {});

/** Checks the values of a retry policy. @throws {InputError} invalid values */
export function parseRetryPolicy({ retries, retryDelayMs, stallMs }: Partial<RetryPolicy>): RetryPolicy {
  return parseOptions(schema, { retries, retryDelayMs, stallMs }, "load");
}

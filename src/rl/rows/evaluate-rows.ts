// Samples answers to rows with any model and judges them.

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, expectArgument, parseOptions, SEED_LIMIT } from "../../base/options.js";
import { expectMethods } from "../arguments.js";
import { type Solver, samplingEntries } from "../evaluation/evaluate.js";
import { expectResult, expectRow } from "./expect-rows.js";
import { judgeRow, type Row } from "./task-rows.js";

/** A response to a row, with its verdict. */
export interface RowSample {
  readonly response: string;
  /** Number of tokens. */
  readonly tokens: number;
  /** Null if the question leaves open whether the answer is right. */
  readonly right: boolean | null;
  readonly reason: string;
}

/** A row with the responses to it. */
export interface RowResult extends Row {
  /** Number of the row, from 0 on. */
  readonly index: number;
  readonly samples: readonly RowSample[];
  /** Share of right responses among those with a verdict. Null if no response has a verdict. */
  readonly pass_rate: number | null;
}

/** How answers are sampled. */
export interface EvaluateRowsOptions {
  /** Responses for each row (1). */
  samples?: number;
  /** Sampling temperature (1); 0 is greedy decoding. */
  temperature?: number;
  /** Probability mass of nucleus sampling (0.95). */
  topP?: number;
  /** Maximum number of tokens of a response (2048). */
  maxTokens?: number;
  /** Responses that are generated at the same time (64). */
  concurrency?: number;
  /** Seed of the sampling (1). Sample j of row i uses the seed `seed` + i · samples + j. */
  seed?: number;
  /** Indices of rows to skip, for example because they were evaluated before. */
  skip?: ReadonlySet<number>;
  /** Cancels the evaluation. */
  signal?: AbortSignal;
}

const schema = v.strictObject({
  ...samplingEntries,
  samples: v.optional(count, 1),
  maxTokens: v.optional(count, 2048),
  concurrency: v.optional(count, 64),
  skip: v.optional(
    v.custom<ReadonlySet<number>>((x) => x instanceof Set, "a set of numbers"),
    () => new Set<number>(),
  ),
});

/**
 * Evaluates a model on rows and yields each result as soon as it is complete. The order can differ from that of the rows.
 *
 * @param model `MiniMaxM1`, `RemoteModel` or anything with their `generateBatch`
 * @throws {InputError} no rows, invalid options, or rows that do not belong to their task
 */
export async function* evaluateRows(model: Solver, rows: readonly Row[], options: EvaluateRowsOptions = {}): AsyncGenerator<RowResult> {
  expectMethods("evaluateRows: model", model, "a model", ["generateBatch"]);
  expectArgument("evaluateRows: rows", Array.isArray(rows), "an array of rows", rows);
  for (const [i, row] of rows.entries()) expectRow(`evaluateRows: rows[${i}]`, row);
  if (rows.length === 0) throw new InputError("evaluateRows: rows: expected at least one, got none");
  const { samples, temperature, topP, maxTokens, concurrency, seed, skip, signal } = parseOptions(schema, options, "evaluateRows");
  const sampling = { ...(temperature === 0 ? { temperature } : { temperature, topP }), maxTokens };
  const controller = new AbortController();
  const aborted = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;

  async function answer(index: number): Promise<RowResult> {
    const row = rows[index]!;
    const inputs = Array.from({ length: samples }, () => [{ role: "user", content: row.question }] as const);
    const texts = inputs.map(() => "");
    const tokens = inputs.map(() => 0);
    const batch = model.generateBatch(inputs, { ...sampling, seed: (seed + index * samples) % SEED_LIMIT, signal: aborted });
    for await (const token of batch) {
      texts[token.index] += token.text;
      tokens[token.index]!++;
    }
    return rowResult(row, index, texts, tokens);
  }

  const waiting = [...rows.keys()].filter((index) => !skip.has(index)).values();
  const running = new Map<number, Promise<RowResult>>();
  try {
    for (;;) {
      while (running.size === 0 || (running.size + 1) * samples <= concurrency) {
        const { value: index, done } = waiting.next();
        if (done) break;
        running.set(index, answer(index));
      }
      if (running.size === 0) return;
      const result = await Promise.race(running.values());
      running.delete(result.index);
      yield result;
    }
  } finally {
    controller.abort();
    await Promise.allSettled(running.values());
  }
}

function rowResult(row: Row, index: number, texts: readonly string[], tokens: readonly number[]): RowResult {
  const samples = texts.map((response, j): RowSample => {
    const { right, reason } = judgeRow(row, response);
    return { response, tokens: tokens[j]!, right, reason };
  });
  return { ...row, index, samples, pass_rate: passRate(samples) };
}

/** Judges stored responses again, without a model. @throws {InputError} a row that does not belong to its task */
export function reverifyRow(result: RowResult): RowResult {
  expectResult("reverifyRow: result", result);
  const samples = result.samples.map((sample) => {
    const { right, reason } = judgeRow(result, sample.response);
    return { ...sample, right, reason };
  });
  return { ...result, samples, pass_rate: passRate(samples) };
}

function passRate(samples: readonly RowSample[]): number | null {
  const decided = samples.filter(({ right }) => right !== null);
  return decided.length === 0 ? null : decided.filter(({ right }) => right).length / decided.length;
}

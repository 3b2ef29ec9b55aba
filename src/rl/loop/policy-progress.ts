import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { index } from "../../base/options.js";
import type { Trainer } from "../../train/trainer.js";
import type { WindowState } from "../curriculum/index.js";
import { collapseStateSchema, newCollapseState } from "./collapse-detection.js";
import type { PolicyMetrics } from "./policy-metrics.js";

/** What a run has to know to go on, besides the trainer's state: plain data, kept in it. */
const progressSchema = v.strictObject({
  batch: index,
  problems: index,
  window: v.custom<WindowState>(isWindowState, "a window"),
  /** Share of right answers by source, a moving mean. */
  passRates: v.record(v.string(), v.number()),
  /** What was seen and told of a collapse; states of earlier versions have none. */
  watch: v.optional(collapseStateSchema, newCollapseState),
  /** Whether a batch was being learned from: if it ended in an error, weights and numbers are of different moments. */
  learning: v.optional(v.boolean()),
});
export type PolicyProgress = v.InferOutput<typeof progressSchema>;

/** How much of a pass rate the last batch decides. */
const PASS_RATE_EMA_WEIGHT = 0.3;

/** Where the trainer stands, at the beginning if no run has begun. @throws {InputError} progress of something else, or within a batch */
export function readProgress({ progress }: Trainer, windows: readonly number[]): PolicyProgress {
  if (progress === undefined)
    return { batch: 0, problems: 0, window: { tokens: windows[0]!, perplexities: [] }, passRates: {}, watch: newCollapseState() };
  const parsed = v.safeParse(progressSchema, progress);
  if (!parsed.success)
    throw new InputError(
      "trainPolicy: trainer: expected the state of such a run, got one of something else (a new trainer, or restore another state)",
    );
  const { learning, window } = parsed.output;
  if (learning)
    throw new InputError(
      "trainPolicy: trainer: expected one between two batches, got one that failed within a batch (restore what was saved)",
    );
  if (!windows.includes(window.tokens)) {
    throw new InputError(
      `trainPolicy: maxTokens: expected windows with ${window.tokens} among them, where the run stands, got ${windows.join(", ")}`,
    );
  }
  return structuredClone(parsed.output);
}

function isWindowState(x: unknown): boolean {
  const { tokens, perplexities } = (x ?? {}) as Partial<WindowState>;
  return Number.isSafeInteger(tokens) && Array.isArray(perplexities) && perplexities.every(Number.isFinite);
}

/** Pass rates by source, after a batch. */
export function updatePassRates(passRates: PolicyProgress["passRates"], seen: PolicyMetrics["sources"]): PolicyProgress["passRates"] {
  const news = Object.entries(seen).map(([name, { accuracy }]) => {
    const before = Object.hasOwn(passRates, name) ? passRates[name]! : accuracy;
    return [name, before + PASS_RATE_EMA_WEIGHT * (accuracy - before)];
  });
  return { ...passRates, ...Object.fromEntries(news) };
}

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { index } from "../../base/options.js";
import type { Trainer } from "../../train/trainer.js";
import type { WindowState } from "../curriculum/index.js";
import { collapseStateSchema, newCollapseState } from "./collapse-detection.js";
import type { PolicyMetrics } from "./policy-metrics.js";

/** The state that a run needs to resume, in addition to weights and optimiser state. It is plain data and is saved with the trainer. */
const progressSchema = v.strictObject({
  /** Number of completed batches. */
  batch: index,
  /** Number of problems drawn. */
  problems: index,
  /** Current window of response lengths. */
  window: v.custom<WindowState>(isWindowState, "a window"),
  /** Exponential moving average of the pass rate of each source. */
  passRates: v.record(v.string(), v.number()),
  /** State of the collapse detection. Missing in runs of earlier versions. */
  watch: v.optional(collapseStateSchema, newCollapseState),
  /** True during the updates of a batch. If they fail, weights and progress are inconsistent, and the run must not resume. */
  learning: v.optional(v.boolean()),
});
export type PolicyProgress = v.InferOutput<typeof progressSchema>;

/** Weight of the latest batch in the moving average of pass rates. */
const PASS_RATE_EMA_WEIGHT = 0.3;

/**
 * Reads the progress of a trainer. A trainer without progress starts a new run.
 *
 * @throws {InputError} progress of another kind, or of an incomplete batch
 */
export function readProgress({ progress }: Trainer, windows: readonly number[]): PolicyProgress {
  if (progress === undefined)
    return { batch: 0, problems: 0, window: { tokens: windows[0]!, perplexities: [] }, passRates: {}, watch: newCollapseState() };
  const parsed = v.safeParse(progressSchema, progress);
  if (!parsed.success)
    throw new InputError(
      "trainPolicy: trainer: expected the progress of a trainPolicy run, got other progress (use a new trainer, or restore another state)",
    );
  const { learning, window } = parsed.output;
  if (learning)
    throw new InputError(
      "trainPolicy: trainer: expected a state between two batches, got the state of a failed batch (restore a saved state)",
    );
  if (!windows.includes(window.tokens)) {
    throw new InputError(
      `trainPolicy: maxTokens: expected windows that include ${window.tokens}, the current window of the run, got ${windows.join(", ")}`,
    );
  }
  return structuredClone(parsed.output);
}

function isWindowState(x: unknown): boolean {
  const { tokens, perplexities } = (x ?? {}) as Partial<WindowState>;
  return Number.isSafeInteger(tokens) && Array.isArray(perplexities) && perplexities.every(Number.isFinite);
}

/** Updates the moving averages of the pass rates after a batch. */
export function updatePassRates(passRates: PolicyProgress["passRates"], seen: PolicyMetrics["sources"]): PolicyProgress["passRates"] {
  const updated = Object.entries(seen).map(([name, { accuracy }]) => {
    const before = Object.hasOwn(passRates, name) ? passRates[name]! : accuracy;
    return [name, before + PASS_RATE_EMA_WEIGHT * (accuracy - before)];
  });
  return { ...passRates, ...Object.fromEntries(updated) };
}

import type { Columns } from "../../node-entry/csv.js";
import { meanAccuracy } from "../../rl/index.js";
import type { PolicyLine } from "./policy-view.js";

/** A line with the metrics of a batch. The line of the evaluation before the first batch has none. */
type Batch = Extract<PolicyLine, { readonly step: number }>;

const of = (value: (batch: Batch) => unknown) => (line: object) => ("step" in line ? value(line as Batch) : undefined);
const update = (value: (update: Batch["updates"][number]) => number | undefined) =>
  of(({ updates }) => {
    const values = updates.map(value).filter((x) => x !== undefined);
    return values.length === 0 ? undefined : values.reduce((sum, x) => sum + x, 0) / values.length;
  });

/** Columns of metrics.csv, with one row per line of metrics.jsonl. Metrics of updates are averaged over the batch. */
export const policyColumns: Columns = {
  batch: (line) => line.batch,
  step: of(({ step }) => step),
  problems: of(({ problems }) => problems),
  groupsSampled: of(({ groups }) => groups.sampled),
  groupsKept: of(({ groups }) => groups.kept),
  accuracy: of(({ accuracy }) => accuracy),
  heldOutAccuracy: (line) => (line.heldOut ? meanAccuracy(line.heldOut as NonNullable<PolicyLine["heldOut"]>) : undefined),
  reward: of(({ rewards }) => rewards.total),
  notJudged: of(({ judging }) => judging?.failed),
  meanLength: of(({ length }) => length.mean),
  p99Length: of(({ length }) => length.p99),
  window: of(({ length }) => length.window),
  truncated: of(({ length }) => length.truncated),
  repetitive: of(({ length }) => length.repetitive),
  entropy: of(({ policy }) => policy?.entropy),
  perplexity: of(({ policy }) => policy?.perplexity),
  clipped: update(({ clipFraction }) => clipFraction.all),
  effectiveSampleShare: update(({ effectiveSampleSize, tokens }) => effectiveSampleSize / tokens),
  klOld: update(({ kl }) => kl.k3),
  klReference: update(({ klRef }) => klRef),
  gradNorm: update(({ gradNorm }) => gradNorm),
  lr: update(({ lr }) => lr),
  samplingSeconds: of(({ seconds }) => seconds.sampling),
  learningSeconds: of(({ seconds }) => seconds.learning),
  tokensPerSecond: of(({ tokensPerSecond }) => tokensPerSecond),
};

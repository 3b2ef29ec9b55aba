/**
 * Training: gradients and updates of a model in memory, and the parts of a training run (data sets, schedules, runs).
 *
 * @module lightning-m1/train
 */

export { type Dataset, type DatasetExample, exampleDataset, streamOf, textDataset } from "./datasets.js";
export type { Example } from "./documents.js";
export { type ChatEncoding, type EncodedDocument, encodeRow } from "./encode-documents.js";
export { evaluate } from "./evaluate.js";
export { type LearnedMessage, parseRows, type Row, type RowContent } from "./jsonl-rows.js";
export type { Likelihood } from "./likelihood.js";
export { type LossPoint, lossCurve } from "./loss-curve.js";
export type { Losses } from "./losses.js";
export type { Objective, ObjectiveValue } from "./objective.js";
export { type Perplexity, type PerplexityOptions, perplexity } from "./perplexity.js";
export { type RunOptions, run, type StepMetrics, type Window } from "./run.js";
export type { Schedule } from "./schedule.js";
export { type TokenizerOptions, trainTokenizer } from "./tokenizer-training.js";
export { type Trainable, Trainer } from "./trainer.js";
export type { TrainerOptions } from "./trainer-options.js";

import * as v from "valibot";
import { InputError, LightningError } from "../base/errors.js";
import { count, flag, number, parseOptions } from "../base/options.js";
import type { Config } from "../model/config.js";
import type { Transformer } from "../model/transformer.js";
import { balance } from "../ops/balance.js";
import { readRows } from "../runtime/rows.js";
import { Tape } from "../runtime/tape.js";
import type { Tensor } from "../runtime/tensor.js";
import { ResidentWeights } from "../weights/resident.js";
import { MAX_CLIPPED_NORM, Parameter } from "./adamw.js";
import { collectTargets, type Example, parseDocuments, splitIntoMicroBatches, type TrainingDocument } from "./documents.js";
import { computeLikelihoods, forwardDocuments, type Likelihood, temperedLogits } from "./likelihood.js";
import { applyObjective, crossEntropy, type Objective } from "./loss.js";
import { decodeState, encodeState } from "./training-state.js";

/** A model whose parameters can be trained: what `MiniMaxM1` is, created or loaded with `dtype: "f32"`. */
export interface Trainable {
  readonly config: Config;
  /** @internal */
  readonly transformer: Transformer;
}

export interface TrainerOptions {
  /** Learning rate η (1e-3); `step` can be given another one for a step, and `run` gives it a share of this one. */
  lr?: number;
  /** β₁ and β₂, the decay of AdamW's moments: 0.9 and 0.95, as in the report (section 3.2). */
  betas?: readonly [number, number];
  /** AdamW's ε: 1e-15, as in the report (section 3.2), where most gradients are below 1e-14 and some as small as 1e-18. */
  eps?: number;
  /** λ, for the parameters that `decays` names (0.01). The report gives none. */
  weightDecay?: number;
  /** Which parameters decay, by checkpoint name; all by default. */
  decays?: (name: string) => boolean;
  /** Largest Euclidean norm of all gradients together (1); longer ones are shortened to it. `Infinity` leaves all as they are. */
  clipNorm?: number;
  /** Weight of the load-balancing loss, `balance`; by default the configuration's `router_aux_loss_coef`. */
  auxLossCoef?: number;
  /** A batch of more tokens (8,192) goes through in parts, one after the other, whose gradients are added up; a document is never cut. The load-balancing loss is that of each part, so it depends on the parts. */
  microBatchTokens?: number;
  /** Logits are divided by it before they become probabilities (1): that of the sampling, where the data was sampled. */
  temperature?: number;
  /** Layers keep their input alone and compute the rest again on the way back (false): less memory, one more forward pass, the same bits. */
  checkpointing?: boolean;
}

/** @internal */
export const trainerSchema = v.strictObject({
  lr: v.optional(
    number("a number above 0", (x) => Number.isFinite(x) && x > 0),
    1e-3,
  ),
  betas: v.optional(
    v.custom<readonly [number, number]>(
      (x) => Array.isArray(x) && x.length === 2 && x.every((beta) => typeof beta === "number" && beta >= 0 && Math.fround(beta) < 1),
      "two numbers within [0, 1), in float32 too",
    ),
    [0.9, 0.95],
  ),
  // Scaled as moments are, it must be a float32 number above 0.
  eps: v.optional(
    number("a number within [1e-56, 1e26]", (x) => x >= 1e-56 && x <= 1e26),
    1e-15,
  ),
  weightDecay: v.optional(
    number("a number of at least 0", (x) => Number.isFinite(x) && x >= 0),
    0.01,
  ),
  decays: v.optional(
    v.custom<(name: string) => boolean>((x) => typeof x === "function", "a function"),
    () => () => true,
  ),
  clipNorm: v.optional(
    number("a number above 0", (x) => x > 0),
    1,
  ),
  auxLossCoef: v.optional(number("a number of at least 0", (x) => Number.isFinite(x) && x >= 0)),
  microBatchTokens: v.optional(count, 8192),
  temperature: v.optional(
    number("a number within [1e-3, 1e3]", (x) => x >= 1e-3 && x <= 1e3),
    1,
  ),
  checkpointing: v.optional(flag, false),
});

/** What one batch says about the model, before its update. */
export interface Losses {
  /** What is minimised: `crossEntropy + auxLossCoef · auxLoss`; with an objective, its loss in place of the cross-entropy. */
  readonly loss: number;
  /** `−Σ w log p / Σ w` over the targets of all documents, in nats per token. */
  readonly crossEntropy: number;
  /** The load-balancing loss, `experts · Σ_e f_e P_e`: k for even loads, `experts` for all tokens at one expert with k = 1. */
  readonly auxLoss: number;
  /** Targets of a weight above 0. */
  readonly targets: number;
  /** Tokens that went through the model. */
  readonly tokens: number;
  /** Per layer, the share of tokens that reach each expert; they add up to k. */
  readonly expertLoad: readonly Float64Array[];
}

/**
 * Trains all parameters of a model in its own memory, which takes four times as much then: weights, gradients and two moments. One forward for training and inference: ops
 * record themselves on a tape, and go back along it. The model can compute and generate at any time between steps, with the weights of that moment.
 *
 *     loss = −Σ_r w_r log p_r(target_r) / Σ_r w_r + auxLossCoef · experts · Σ_e f_e P_e
 */
export class Trainer {
  readonly options: Required<TrainerOptions>;
  /** Updates so far. */
  steps = 0;
  /** Documents that a run has taken so far. */
  documents = 0;
  /** What else a run has to know to go on: JSON, saved with the rest. */
  progress: unknown;
  private readonly transformer: Transformer;
  private ownedParameters: readonly Parameter[] | undefined;
  private readonly decaying: ReadonlySet<Parameter>;
  private readonly gradientOf: ReadonlyMap<Tensor, Tensor>;

  /**
   * @param model stays the caller's: disposing the trainer leaves it, disposing the model ends the trainer too
   * @throws {InputError} options that do not fit, or a model whose weights or caches are not float32
   * @throws {MemoryError} gradients and moments do not fit beside the weights
   */
  constructor(model: Trainable, options: TrainerOptions = {}) {
    if (!model?.transformer) throw new InputError("Trainer: model: expected a MiniMaxM1, got something else");
    const { transformer } = model;
    const parsed = parseOptions(trainerSchema, options, "Trainer");
    this.options = { ...parsed, auxLossCoef: parsed.auxLossCoef ?? transformer.config.routerAuxLossCoef };
    this.transformer = transformer;
    this.ownedParameters = createParameters(transformer);
    this.decaying = new Set(this.ownedParameters.filter(({ name }) => this.options.decays(name)));
    this.gradientOf = new Map(this.parameters.map(({ weight, gradient }) => [weight, gradient]));
  }

  /** Of the model. */
  get config(): Config {
    return this.transformer.config;
  }

  /** Whether these are the weights that are trained. @internal */
  trains(model: Trainable): boolean {
    return model.transformer === this.transformer;
  }

  private get parameters(): readonly Parameter[] {
    if (!this.ownedParameters) throw new LightningError("Trainer: used after dispose (make a new one, and restore what was saved)");
    return this.ownedParameters;
  }

  /**
   * The gradients of a batch, by checkpoint name and in the shapes of the checkpoint, row by row, neither clipped nor decayed; nothing is changed.
   *
   * @param objective what is minimised in place of the cross-entropy
   * @throws {InputError} no documents, no target that counts, or ids outside the vocabulary
   */
  gradients(batch: readonly Example[], objective?: Objective): Losses & { readonly gradients: Map<string, Float32Array> } {
    try {
      const losses = this.accumulateGradients(batch, objective);
      return { ...losses, gradients: new Map(this.parameters.map(({ name, gradient }) => [name, readRows(gradient)])) };
    } finally {
      this.clearGradients();
    }
  }

  /**
   * One update: gradients of the batch, clipped to `clipNorm` together, then AdamW.
   *
   * @param lr learning rate of this step
   * @param objective what is minimised in place of the cross-entropy, a policy's objective for example
   * @returns losses before the update, and the Euclidean norm of all gradients together before clipping
   * @throws {InputError} no documents, no target that counts, or ids outside the vocabulary
   * @throws {MemoryError} what the tape holds of the largest part does not fit (smaller `microBatchTokens`, shorter documents, or `checkpointing`); the weights are as they were
   * @throws {LightningError} a loss or a gradient that is not finite; the weights are as they were
   */
  step(batch: readonly Example[], lr = this.options.lr, objective?: Objective): Losses & { readonly gradNorm: number } {
    if (!(Number.isFinite(lr) && lr >= 0)) throw new InputError(`step: lr: expected a number of at least 0, got ${lr}`);
    if (lr * this.options.weightDecay > 1) {
      throw new InputError(`step: lr: expected lr · weightDecay of at most 1, got ${lr} · ${this.options.weightDecay}`);
    }
    try {
      const losses = this.accumulateGradients(batch, objective);
      const gradNorm = Math.sqrt(this.parameters.reduce((sum, parameter) => sum + parameter.gradientSumOfSquares(), 0));
      if (!Number.isFinite(losses.loss) || !Number.isFinite(gradNorm)) {
        throw new LightningError(
          `step ${this.steps + 1}: expected finite gradients, got loss ${losses.loss} and norm ${gradNorm} (a lower learning rate, a longer warm-up, or damaged weights)`,
        );
      }
      const { clipNorm, weightDecay, betas, eps } = this.options;
      // As torch.nn.utils.clip_grad_norm_ has it.
      const factor = Math.min(1, clipNorm / (gradNorm + 1e-6));
      if (gradNorm * factor >= MAX_CLIPPED_NORM) {
        throw new LightningError(
          `step ${this.steps + 1}: expected gradients of a norm below ${MAX_CLIPPED_NORM} after clipping, got ${gradNorm * factor} (a smaller clipNorm; 1 is usual)`,
        );
      }
      this.steps++;
      for (const parameter of this.parameters) {
        parameter.update(this.steps, { lr, betas, eps, weightDecay: this.decaying.has(parameter) ? weightDecay : 0 }, factor);
      }
      return { ...losses, gradNorm };
    } finally {
      this.clearGradients();
    }
  }

  /** Losses of a batch, without a tape, so in less memory: for data that the model is not trained on. Throws as `gradients` does. */
  evaluate(batch: readonly Example[]): Losses {
    return this.forEachMicroBatch(batch, (part, first, whole) => this.computeLosses(part, first, whole)).reduce(addLosses);
  }

  /**
   * Log-probabilities of the targets of each document, and the entropy of what they were drawn from, in the form of training: all tokens of a document at once. Throws as `gradients` does.
   */
  likelihoods(batch: readonly Example[]): Likelihood[] {
    return this.forEachMicroBatch(batch, (part) => computeLikelihoods(this.transformer, part, this.options.temperature)).flat();
  }

  /** Weights, moments, `steps`, `documents` and `progress`, exact to the bit: a safetensors file of three times the weights. Options are not in it. For a model to use, save the model. */
  save(): Uint8Array<ArrayBuffer> {
    return encodeState(this.parameters, { steps: this.steps, documents: this.documents, progress: this.progress });
  }

  /**
   * Goes on where `save` was called, in the weights too; whatever the model's weights were is overwritten.
   *
   * @throws {CheckpointError} bytes that are no such state, or another model's; nothing is changed then
   */
  restore(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw new InputError(`restore: bytes: expected those of save, got ${typeof bytes}`);
    const { steps, documents, progress } = decodeState(bytes, this.parameters);
    this.steps = steps;
    this.documents = documents;
    this.progress = progress;
  }

  /** Frees gradients and moments; the model stays. */
  dispose(): void {
    for (const parameter of this.ownedParameters ?? []) parameter.dispose();
    this.ownedParameters = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Adds the gradients of a batch to those that are there. */
  private accumulateGradients(batch: readonly Example[], objective?: Objective): Losses {
    const { checkpointing } = this.options;
    return this.forEachMicroBatch(batch, (part, first, whole) => {
      const tape = new Tape(this.transformer.rt, { parameters: this.gradientOf, checkpointing });
      const losses = tape.watch(() => this.computeLosses(part, first, whole, objective));
      tape.backward();
      return losses;
    }).reduce(addLosses);
  }

  /** A batch in parts that fit into memory together: what `body` makes of each. */
  private forEachMicroBatch<T>(
    batch: readonly Example[],
    body: (part: readonly TrainingDocument[], first: number, whole: BatchTotals) => T,
  ): T[] {
    // Refused before anything is computed, if there are none any more.
    void this.parameters;
    const documents = parseDocuments(batch, this.transformer.config);
    const whole = { tokens: sum(documents, ({ ids }) => ids.length), totalWeight: sum(documents, ({ totalWeight }) => totalWeight) };
    if (!Number.isFinite(whole.totalWeight))
      throw new InputError(`Trainer: batch: weights: expected a finite sum, got ${whole.totalWeight}`);
    if (whole.totalWeight === 0)
      throw new InputError(
        "Trainer: batch: expected at least one target that counts, got none (a document has one less than tokens, and prompts have none: a longer window?)",
      );
    let first = 0;
    return splitIntoMicroBatches(documents, this.options.microBatchTokens).map((part) => {
      const result = this.transformer.rt.scope(() => body(part, first, whole));
      first += part.length;
      return result;
    });
  }

  /** What a part, from document `first` of the batch on, contributes to the losses of the whole batch. */
  private computeLosses(documents: readonly TrainingDocument[], first: number, whole: BatchTotals, objective?: Objective): Losses {
    const { auxLossCoef, temperature } = this.options;
    return forwardDocuments(this.transformer, documents, (hidden, routerLogits) => {
      const { rows, targets, weights } = collectTargets(documents);
      const shares = weights.map((row) => row.map((weight) => weight / whole.totalWeight));
      const likely = crossEntropy(shares);
      const { loss: own, logp } =
        rows.length === 0
          ? { loss: 0, logp: [] }
          : applyObjective(
              temperedLogits(this.transformer, hidden, rows, temperature),
              targets,
              objective ? (logp) => objective(logp, first) : likely,
            );
      const share = hidden.shape[0]! / whole.tokens;
      const { loss, load } = balance(routerLogits, this.transformer.config.numExpertsPerTok, auxLossCoef * share);
      return {
        loss: own + auxLossCoef * loss * share,
        crossEntropy: objective ? likely(logp).loss : own,
        auxLoss: loss * share,
        targets: rows.length,
        tokens: hidden.shape[0]!,
        expertLoad: load.map((layer) => layer.map((x) => x * share)),
      };
    });
  }

  private clearGradients(): void {
    for (const parameter of this.ownedParameters ?? []) parameter.clearGradient();
  }
}

/** What the parts of a batch share. */
interface BatchTotals {
  readonly tokens: number;
  /** Weights of all targets together. */
  readonly totalWeight: number;
}

/** @throws {InputError} weights or caches that are not float32 */
function createParameters({ weights, kv }: Transformer): Parameter[] {
  if (!(weights instanceof ResidentWeights)) throw new InputError("Trainer: model: expected weights in memory, got streamed ones");
  const specs = [...weights.specs()];
  const narrow = specs.find(({ name }) => weights.at(name).dtype !== "f32");
  if (narrow) {
    throw new InputError(
      `Trainer: model: ${narrow.name}: expected float32 in memory, got ${weights.at(narrow.name).dtype} (load it with dtype: "f32")`,
    );
  }
  if (kv !== "f32") throw new InputError(`Trainer: model: expected float32 keys and values, got ${kv} (load it with kv: "f32")`);
  const parameters: Parameter[] = [];
  try {
    for (const { name } of specs) parameters.push(new Parameter(name, weights.at(name)));
  } catch (error) {
    for (const parameter of parameters) parameter.dispose();
    throw error;
  }
  return parameters;
}

function addLosses(a: Losses, b: Losses): Losses {
  return {
    loss: a.loss + b.loss,
    crossEntropy: a.crossEntropy + b.crossEntropy,
    auxLoss: a.auxLoss + b.auxLoss,
    targets: a.targets + b.targets,
    tokens: a.tokens + b.tokens,
    expertLoad: a.expertLoad.map((layer, i) => layer.map((x, e) => x + b.expertLoad[i]![e]!)),
  };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

import { InputError, LightningError } from "../base/errors.js";
import { parseOptions } from "../base/options.js";
import type { Config } from "../model/config.js";
import type { Transformer } from "../model/transformer.js";
import { readRows } from "../runtime/rows.js";
import { Tape } from "../runtime/tape.js";
import type { Tensor } from "../runtime/tensor.js";
import { MAX_CLIPPED_NORM, type Parameter } from "./adamw.js";
import { type Example, parseDocuments, splitIntoMicroBatches } from "./documents.js";
import { computeLikelihoods, type Likelihood } from "./likelihood.js";
import { addLosses, type Losses, type MicroBatch, microBatchLosses } from "./losses.js";
import type { Objective } from "./objective.js";
import { createParameters } from "./parameters.js";
import { type TrainerOptions, trainerSchema } from "./trainer-options.js";
import { decodeState, encodeState } from "./training-state.js";

/** A model whose parameters can be trained: a `MiniMaxM1` that was created, or that was loaded with `dtype: "f32"`. */
export interface Trainable {
  readonly config: Config;
  /** @internal */
  readonly transformer: Transformer;
}

/**
 * Trains all parameters of a model in place. Weights, gradients and two moments take four times the memory of the weights. The forward pass
 * is the same as in inference: under a tape, each op records its backward closure. Between steps, the model can compute and generate with
 * its current weights.
 *
 *     loss = −Σ_r w_r log p_r(target_r) / Σ_r w_r + auxLossCoef · experts · Σ_e f_e P_e
 */
export class Trainer {
  readonly options: Required<TrainerOptions>;
  /** Number of updates so far. */
  steps = 0;
  /** Number of documents that runs have taken so far. */
  documents = 0;
  /** Further data that a run needs to resume. It is JSON data that is saved with the state. */
  progress: unknown;
  private readonly transformer: Transformer;
  private ownedParameters: readonly Parameter[] | undefined;
  private readonly decayingParameters: ReadonlySet<Parameter>;
  private readonly gradientByWeight: ReadonlyMap<Tensor, Tensor>;

  /**
   * Allocates gradients and moments for all weights of a model.
   *
   * @param model owned by the caller. Disposing the trainer does not dispose it. The trainer is unusable once the model is disposed
   * @throws {InputError} invalid options, or a model whose weights or caches are not float32
   * @throws {MemoryError} not enough memory for gradients and moments
   */
  constructor(model: Trainable, options: TrainerOptions = {}) {
    if (!model?.transformer) throw new InputError("Trainer: model: expected a MiniMaxM1, got something else");
    const { transformer } = model;
    const parsed = parseOptions(trainerSchema, options, "Trainer");
    this.options = { ...parsed, auxLossCoef: parsed.auxLossCoef ?? transformer.config.routerAuxLossCoef };
    this.transformer = transformer;
    this.ownedParameters = createParameters(transformer);
    this.decayingParameters = new Set(this.ownedParameters.filter(({ name }) => this.options.decays(name)));
    this.gradientByWeight = new Map(this.parameters.map(({ weight, gradient }) => [weight, gradient]));
  }

  /** The configuration of the model. */
  get config(): Config {
    return this.transformer.config;
  }

  /** Whether this trainer trains the weights of the given model. @internal */
  trains(model: Trainable): boolean {
    return model.transformer === this.transformer;
  }

  private get parameters(): readonly Parameter[] {
    if (!this.ownedParameters) throw new LightningError("Trainer: used after dispose. Create a new one and restore its saved state.");
    return this.ownedParameters;
  }

  /**
   * Computes the gradients of a batch, before clipping and weight decay. Changes neither the weights nor the trainer.
   *
   * @param objective minimised instead of the cross-entropy
   * @returns losses, and gradients by checkpoint name, row by row in the shapes of the checkpoint
   * @throws {InputError} no documents, no target with a weight above 0, or ids outside the vocabulary
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
   * Updates the weights once: computes the gradients of the batch, clips their common norm to `clipNorm`, and runs AdamW.
   *
   * @param lr learning rate of this step
   * @param objective minimised instead of the cross-entropy, for example a policy objective
   * @returns losses before the update, and the Euclidean norm of all gradients together before clipping
   * @throws {InputError} no documents, no target with a weight above 0, or ids outside the vocabulary
   * @throws {MemoryError} not enough memory for the tape of the largest micro-batch; the weights are unchanged. Use a smaller
   *   `microBatchTokens`, shorter documents, or `checkpointing`
   * @throws {LightningError} a non-finite loss or gradient; the weights are unchanged
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
          `step ${this.steps + 1}: expected finite gradients, got loss ${losses.loss} and norm ${gradNorm}. Use a lower learning rate or a longer warm-up, or check the weights for damage.`,
        );
      }
      const { clipNorm, weightDecay, betas, eps } = this.options;
      // This is the formula of torch.nn.utils.clip_grad_norm_.
      const factor = Math.min(1, clipNorm / (gradNorm + 1e-6));
      if (gradNorm * factor >= MAX_CLIPPED_NORM) {
        throw new LightningError(
          `step ${this.steps + 1}: expected gradients of a norm below ${MAX_CLIPPED_NORM} after clipping, got ${gradNorm * factor}. Use a smaller clipNorm (1 is usual).`,
        );
      }
      this.steps++;
      for (const parameter of this.parameters) {
        parameter.update(this.steps, { lr, betas, eps, weightDecay: this.decayingParameters.has(parameter) ? weightDecay : 0 }, factor);
      }
      return { ...losses, gradNorm };
    } finally {
      this.clearGradients();
    }
  }

  /** Computes the losses of a batch without a tape, which takes less memory than `gradients`. Throws the same errors as `gradients`. */
  evaluate(batch: readonly Example[]): Losses {
    return this.forEachMicroBatch(batch, (microBatch) => this.computeLosses(microBatch)).reduce(addLosses);
  }

  /**
   * Computes the log-probabilities of each document's targets, and the entropy of the model's distribution at the same positions. All
   * tokens of a document are computed at once, as in training. Throws the same errors as `gradients`.
   */
  likelihoods(batch: readonly Example[]): Likelihood[] {
    const { temperature } = this.options;
    return this.forEachMicroBatch(batch, ({ documents }) => computeLikelihoods(this.transformer, documents, temperature)).flat();
  }

  /**
   * Encodes weights, moments, `steps`, `documents` and `progress` as a safetensors file, exact to the bit. The file has three times the
   * size of the weights. It does not contain the options. To use the model elsewhere, save the model instead.
   */
  save(): Uint8Array<ArrayBuffer> {
    return encodeState(this.parameters, { steps: this.steps, documents: this.documents, progress: this.progress });
  }

  /**
   * Restores a saved state. Overwrites the weights of the model.
   *
   * @throws {CheckpointError} bytes that are not a training state, or the state of another model; nothing is changed
   */
  restore(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array)) throw new InputError(`restore: bytes: expected a Uint8Array from save, got ${typeof bytes}`);
    const { steps, documents, progress } = decodeState(bytes, this.parameters);
    this.steps = steps;
    this.documents = documents;
    this.progress = progress;
  }

  /** Frees gradients and moments, but not the model. */
  dispose(): void {
    for (const parameter of this.ownedParameters ?? []) parameter.dispose();
    this.ownedParameters = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Adds the gradients of a batch to the parameters' gradients. */
  private accumulateGradients(batch: readonly Example[], objective?: Objective): Losses {
    const { checkpointing } = this.options;
    return this.forEachMicroBatch(batch, (microBatch) => {
      const tape = new Tape(this.transformer.rt, { parameters: this.gradientByWeight, checkpointing });
      const losses = tape.watch(() => this.computeLosses(microBatch, objective));
      tape.backward();
      return losses;
    }).reduce(addLosses);
  }

  private computeLosses(microBatch: MicroBatch, objective?: Objective): Losses {
    const { auxLossCoef, temperature } = this.options;
    return microBatchLosses(this.transformer, microBatch, { auxLossCoef, temperature, objective });
  }

  /** Splits a batch into micro-batches, calls `body` for each of them in a new scope, and returns the results. */
  private forEachMicroBatch<T>(batch: readonly Example[], body: (microBatch: MicroBatch) => T): T[] {
    // This throws after `dispose`, before anything is computed.
    void this.parameters;
    const documents = parseDocuments(batch, this.transformer.config);
    const totals = { tokens: sum(documents, ({ ids }) => ids.length), totalWeight: sum(documents, ({ totalWeight }) => totalWeight) };
    if (!Number.isFinite(totals.totalWeight))
      throw new InputError(`Trainer: batch: weights: expected a finite sum, got ${totals.totalWeight}`);
    if (totals.totalWeight === 0)
      throw new InputError(
        "Trainer: batch: expected at least one target with a weight above 0, got none. A document of n tokens has at most n − 1 targets, and prompt tokens are not targets; a longer window may help.",
      );
    let first = 0;
    return splitIntoMicroBatches(documents, this.options.microBatchTokens).map((part) => {
      const result = this.transformer.rt.scope(() => body({ documents: part, first, totals }));
      first += part.length;
      return result;
    });
  }

  private clearGradients(): void {
    for (const parameter of this.ownedParameters ?? []) parameter.clearGradient();
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

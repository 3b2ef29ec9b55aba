import type { Transformer } from "../model/transformer.js";
import { type Balance, balance } from "../ops/balance.js";
import { collectTargets, type TrainingDocument } from "./documents.js";
import { forwardDocuments, temperedLogits } from "./likelihood.js";
import { applyObjective, crossEntropy, type Objective } from "./objective.js";

/** Losses of one batch, before its update. */
export interface Losses {
  /**
   * The loss that is minimised: `crossEntropy + auxLossCoef · auxLoss`. With an objective, the loss of the objective replaces the
   * cross-entropy.
   */
  readonly loss: number;
  /** `−Σ w log p / Σ w` over the targets of all documents, in nats per token. */
  readonly crossEntropy: number;
  /**
   * The load-balancing loss, `experts · Σ_e f_e P_e`. It is k if the load is even. It is `experts` if k = 1 and one expert receives all
   * tokens. It is 0 without experts.
   */
  readonly auxLoss: number;
  /** Number of targets with a weight above 0. */
  readonly targets: number;
  /** Number of tokens in the forward pass. */
  readonly tokens: number;
  /** Per layer, the share of tokens that each expert receives. The shares add up to k. Empty without experts. */
  readonly expertLoad: readonly Float64Array[];
}

/** Totals of a whole batch. They normalise the losses of its micro-batches. */
export interface BatchTotals {
  readonly tokens: number;
  /** Sum of the weights of all targets. */
  readonly totalWeight: number;
}

/** A part of a batch that is computed in one forward pass. */
export interface MicroBatch {
  readonly documents: readonly TrainingDocument[];
  /** Index of the micro-batch's first document in the batch. */
  readonly first: number;
  readonly totals: BatchTotals;
}

/** Settings of the losses. */
export interface LossSettings {
  readonly auxLossCoef: number;
  readonly temperature: number;
  /** Objective that replaces the cross-entropy. */
  readonly objective?: Objective | undefined;
}

/** The balance of a model without experts. */
const NO_EXPERTS: Balance = { loss: 0, load: [] };

/** Computes the contribution of a micro-batch to the losses of the whole batch. Under a tape, it can be differentiated. */
export function microBatchLosses(transformer: Transformer, { documents, first, totals }: MicroBatch, settings: LossSettings): Losses {
  const { auxLossCoef, temperature, objective } = settings;
  return forwardDocuments(transformer, documents, (hidden, routerLogits) => {
    const { rows, targets, weights } = collectTargets(documents);
    const normalised = weights.map((row) => row.map((weight) => weight / totals.totalWeight));
    const likelihoodLoss = crossEntropy(normalised);
    const { loss: ownLoss, logp } =
      rows.length === 0
        ? { loss: 0, logp: [] }
        : applyObjective(
            temperedLogits(transformer, hidden, rows, temperature),
            targets,
            objective ? (logp) => objective(logp, first) : likelihoodLoss,
          );
    const share = hidden.shape[0]! / totals.tokens;
    const { numLocalExperts, numExpertsPerTok } = transformer.config;
    const { loss, load } = numLocalExperts === 0 ? NO_EXPERTS : balance(routerLogits, numExpertsPerTok, auxLossCoef * share);
    return {
      loss: ownLoss + auxLossCoef * loss * share,
      crossEntropy: objective ? likelihoodLoss(logp).loss : ownLoss,
      auxLoss: loss * share,
      targets: rows.length,
      tokens: hidden.shape[0]!,
      expertLoad: load.map((layer) => layer.map((x) => x * share)),
    };
  });
}

/** Adds the losses of two micro-batches of one batch. */
export function addLosses(a: Losses, b: Losses): Losses {
  return {
    loss: a.loss + b.loss,
    crossEntropy: a.crossEntropy + b.crossEntropy,
    auxLoss: a.auxLoss + b.auxLoss,
    targets: a.targets + b.targets,
    tokens: a.tokens + b.tokens,
    expertLoad: a.expertLoad.map((layer, i) => layer.map((x, e) => x + b.expertLoad[i]![e]!)),
  };
}

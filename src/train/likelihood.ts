import type { Cache } from "../model/cache.js";
import type { Transformer } from "../model/transformer.js";
import { residual } from "../ops/pointwise.js";
import { take } from "../ops/route.js";
import { logSoftmax, softmax, targetLogprobs } from "../ops/softmax.js";
import type { Tensor } from "../runtime/tensor.js";
import { collectTargets, type TrainingDocument } from "./documents.js";
import { splitByDocument } from "./objective.js";

/** Log-probabilities and entropies at the targets of one document. */
export interface Likelihood {
  /** log p of each target with a weight above 0, in order. */
  readonly logp: Float64Array;
  /** Entropy −Σ p log p over the vocabulary at the same positions, in nats. */
  readonly entropy: Float64Array;
}

/** Computes log-probabilities and entropies at the targets of documents, in one forward pass. */
export function computeLikelihoods(transformer: Transformer, documents: readonly TrainingDocument[], temperature: number): Likelihood[] {
  return forwardDocuments(transformer, documents, (hidden) => {
    const { rows, targets } = collectTargets(documents);
    if (rows.length === 0) return targets.map(() => ({ logp: new Float64Array(0), entropy: new Float64Array(0) }));
    const { rt } = transformer;
    const logits = temperedLogits(transformer, hidden, rows, temperature);
    const logp = splitByDocument(rt.f32(targetLogprobs(logits, rt.from(targets.flat(), [rows.length], "i32"))), targets);
    const entropy = splitByDocument(entropies(logits), targets);
    return targets.map((_, i) => ({ logp: logp[i]!, entropy: entropy[i]! }));
  });
}

/** Runs a forward pass over documents and passes its tensors to `body`. Each document starts with an empty state. */
export function forwardDocuments<T>(
  transformer: Transformer,
  documents: readonly TrainingDocument[],
  body: (hidden: Tensor, routerLogits: readonly Tensor[]) => T,
): T {
  const caches: Cache[] = [];
  try {
    for (const _ of documents) caches.push(transformer.newCache());
    const { hidden, routerLogits } = transformer.forward(documents.map(({ ids }, i) => ({ ids, cache: caches[i]! })));
    return body(hidden, routerLogits);
  } finally {
    // The backward pass of a tape still needs the caches.
    const { tape } = transformer.rt;
    const dispose = () => {
      for (const cache of caches) cache.dispose();
    };
    if (tape) tape.atEnd(dispose);
    else dispose();
  }
}

/** Computes the logits of some rows, divided by the temperature. */
export function temperedLogits(transformer: Transformer, hidden: Tensor, rows: readonly number[], temperature: number): Tensor {
  const logits = transformer.logits(take(hidden, rows));
  return temperature === 1 ? logits : residual(logits, logits, { alpha: 1 / temperature, beta: 0 });
}

/** Computes −Σ p log p of each row, in float64 from float32 probabilities. */
function entropies(logits: Tensor): Float64Array {
  const { rt } = logits;
  const [rows, dim] = logits.shape as [number, number];
  const [p, logp] = [softmax(logits), logSoftmax(logits)].map((x) => rt.f32(x)) as [Float32Array, Float32Array];
  const entropy = new Float64Array(rows);
  for (let i = 0; i < rows * dim; i++) if (p[i]! > 0) entropy[Math.floor(i / dim)]! -= p[i]! * logp[i]!;
  return entropy;
}

import type { Tensor } from "../runtime/tensor.js";

/**
 * The parameters of a model, by checkpoint name. Layers call `at` inside a scope and do not depend on whether a weight is resident,
 * streamed or computed.
 */
export interface Weights {
  /** The tensor of a weight. @throws {WeightError} an unknown name */
  at(name: string): Tensor;
  /**
   * Whether `at` always returns the same tensor for a name, so that the caller may keep it. Otherwise a tensor is valid until the enclosing
   * scope ends.
   */
  readonly stable: boolean;
  /** Announces that a weight will be used soon, so that reading it may start. */
  prefetch?(name: string): void;
  /** The first bytes of a weight in its in-memory layout. Present if `at` would have to read the whole weight. */
  sample?(name: string, bytes: number): Uint8Array<ArrayBuffer>;
  /** The matrices over the vocabulary, if they are read in parts. */
  readonly vocabulary?: VocabularyMatrices;
}

/** Matrices `[vocab, hidden]`, of which a forward pass needs a few rows, or every row once. */
export interface VocabularyMatrices {
  /** The rows of these token ids, one row per id. */
  rows(name: string, ids: readonly number[]): Iterable<VocabularyPart>;
  /** All rows. */
  parts(name: string): Iterable<VocabularyPart>;
}

/** Consecutive rows of a request, as a matrix in panels. Valid until the next part. */
export interface VocabularyPart {
  /** Index of the part's first row among the requested rows. */
  readonly first: number;
  readonly tensor: Tensor;
}

/** Float dtypes that checkpoints store. */
export type StoredDType = "f32" | "bf16" | "f16";

/** Dtypes of weight matrices in memory. Vectors are always f32. */
export type ResidentDType = "f32" | "bf16" | "q8";

/** Name, shape and stored dtype of a weight. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** The dtype that `writeRows` expects and `readRows` returns. */
  readonly dtype: StoredDType;
}

/** Weights that can be read back in stored form, whole rows at a time, for saving. */
export interface StoredWeights extends Weights {
  /** Whether `readRows` returns other numbers than were loaded. */
  isRounded(name: string): boolean;
  /** @throws {WeightError} an unknown name */
  spec(name: string): WeightSpec;
  /** All weights, in order. */
  specs(): Iterable<WeightSpec>;
  /** Rows per piece for `readRows`: a multiple of 32, or all rows. A vector is one row. */
  pieceRows(name: string): number;
  /** Rows `begin` to `end` in stored form, little-endian. `begin` is a multiple of 32; `end` is a multiple of 32 or the number of rows. */
  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer>;
}

/** A view of the weights whose names begin with `prefix`, by the rest of their names. */
export function withPrefix(weights: Weights, prefix: string): Weights {
  if (!weights.stable) {
    return { stable: false, at: (name) => weights.at(prefix + name), prefetch: (name) => weights.prefetch?.(prefix + name) };
  }
  // Caches the tensors: a joined string is hashed at every look-up, which costs noticeable time per decoded token.
  const known = new Map<string, Tensor>();
  return {
    stable: true,
    at(name) {
      let tensor = known.get(name);
      if (!tensor) {
        tensor = weights.at(prefix + name);
        known.set(name, tensor);
      }
      return tensor;
    },
  };
}

import type { Tensor } from "../runtime/tensor.js";

/**
 * The parameters of a model, by their names in the checkpoint. Layers call `at` inside a scope. They do not depend on whether a weight is
 * resident, streamed or computed.
 */
export interface Weights {
  /** The tensor of a weight. @throws {WeightError} an unknown name */
  at(name: string): Tensor;
  /**
   * Whether `at` always returns the same tensor for a name, so that the caller may keep it. If not, a tensor is valid only until the
   * enclosing scope ends.
   */
  readonly stable: boolean;
  /** Announces that a weight will be used soon, so that its read may start. */
  prefetch?(name: string): void;
  /** Returns the first bytes of a weight in its in-memory layout. Present if `at` would have to read the whole weight. */
  sample?(name: string, bytes: number): Uint8Array<ArrayBuffer>;
  /** The matrices over the vocabulary, if they are read in parts. */
  readonly vocabulary?: VocabularyMatrices;
}

/** Matrices `[vocab, hidden]`. A forward pass needs either a few of their rows, or every row once. */
export interface VocabularyMatrices {
  /** Returns the rows of these token ids, one row per id. */
  rows(name: string, ids: readonly number[]): Iterable<VocabularyPart>;
  /** Returns all rows. */
  parts(name: string): Iterable<VocabularyPart>;
}

/** Consecutive rows of a request, as a matrix in panels. A part is valid until the next one. */
export interface VocabularyPart {
  /** Index of the part's first row among the requested rows. */
  readonly first: number;
  readonly tensor: Tensor;
}

/** Float dtypes that checkpoints store. */
export type StoredDType = "f32" | "bf16" | "f16";

/** Dtypes of weight matrices in memory. Vectors are always f32. */
export type ResidentDType = "f32" | "bf16" | "q8" | "q4";

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
  /** Returns the specification of a weight. @throws {WeightError} an unknown name */
  spec(name: string): WeightSpec;
  /** Returns the specifications of all weights, in order. */
  specs(): Iterable<WeightSpec>;
  /** Returns the number of rows per piece for `readRows`. It is a multiple of 32, or all rows. A vector counts as one row. */
  pieceRows(name: string): number;
  /**
   * Returns rows `begin` to `end` (exclusive) in stored form, little-endian. `begin` must be a multiple of 32, and `end` a multiple of 32
   * or the number of rows.
   */
  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer>;
}

/** Returns a view of the weights whose names begin with `prefix`, under the rest of their names. */
export function withPrefix(weights: Weights, prefix: string): Weights {
  if (!weights.stable) {
    return { stable: false, at: (name) => weights.at(prefix + name), prefetch: (name) => weights.prefetch?.(prefix + name) };
  }
  // The tensors are cached. A joined string is hashed at every look-up, which costs noticeable time per decoded token.
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

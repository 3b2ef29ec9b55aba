import type { Tensor } from "../runtime/tensor.js";

/**
 * Where layers find their parameters, by checkpoint name. Whether a weight is resident, fetched or computed is the
 * implementation's business; a layer calls `at` inside its scope and cannot tell.
 */
export interface Weights {
  /** @throws {WeightError} no such weight */
  at(name: string): Tensor;
  /** Whether a name always gives the same tensor, so that who asks for it may keep it. Otherwise one is valid until the enclosing scope ends. */
  readonly stable: boolean;
  /** Says that a weight will be asked for soon: where fetching takes time, it may begin. */
  prefetch?(name: string): void;
  /** The first bytes of a weight as it is held, where `at` would have to fetch all of it. */
  sample?(name: string, bytes: number): Uint8Array<ArrayBuffer>;
  /** The matrices over the vocabulary, where they are too large to be held whole. */
  readonly vocabulary?: VocabularyMatrices;
}

/** Matrices `[vocab, hidden]`, of which a pass needs a few rows, or every row once. */
export interface VocabularyMatrices {
  /** Rows of these numbers, one for each. */
  rows(name: string, ids: readonly number[]): Iterable<VocabularyPart>;
  /** All rows. */
  parts(name: string): Iterable<VocabularyPart>;
}

/** Some rows of a matrix in panels, valid until the next ones; together they are all rows that were asked for, in order. */
export interface VocabularyPart {
  /** The first one's place among those asked for. */
  readonly first: number;
  readonly tensor: Tensor;
}

/** Float dtypes that checkpoints store. */
export type StoredDType = "f32" | "bf16" | "f16";

/** Dtypes in which a matrix can stay in memory; a vector is always f32. */
export type ResidentDType = "f32" | "bf16" | "q8";

/** What a weight is, as a checkpoint describes it. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** The dtype in which `writeRows` expects it, and in which `readRows` gives it back. */
  readonly dtype: StoredDType;
}

/** Weights that can be read back in stored form, whole rows at a time: what saving needs. */
export interface StoredWeights extends Weights {
  /** Whether `readRows` gives other numbers than were loaded. */
  isRounded(name: string): boolean;
  /** @throws {WeightError} no such weight */
  spec(name: string): WeightSpec;
  /** All of them, in order. */
  specs(): Iterable<WeightSpec>;
  /** Rows per piece, a multiple of 32 except that the last piece may be shorter. A vector is one row. */
  pieceRows(name: string): number;
  /** Rows `begin` to `end`, little-endian. */
  readRows(name: string, begin: number, end: number): Uint8Array<ArrayBuffer>;
}

/** The weights whose names begin with `prefix`, by the rest of their names. */
export function withPrefix(weights: Weights, prefix: string): Weights {
  if (!weights.stable) {
    return { stable: false, at: (name) => weights.at(prefix + name), prefetch: (name) => weights.prefetch?.(prefix + name) };
  }
  // A joined string is hashed anew at every look-up, and a long path through cold memory at every op is time that a decoded token feels.
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

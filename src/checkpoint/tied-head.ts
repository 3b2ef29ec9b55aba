import { WeightError } from "../base/errors.js";
import type { ByteSource } from "../io/byte-source.js";
import type { MatchedWeight } from "./match-weights.js";
import type { StoredTensor } from "./shards.js";

/** Size of a sample, in bytes. */
const SAMPLE_BYTES = 1 << 16;

/**
 * Checks that a stored head equals the embedding if the configuration ties both. Compares samples from the beginning, the middle and the
 * end.
 *
 * transformers 4 ignores such a head, and transformers 5 uses it. If the head differed, their results would differ.
 *
 * @throws {WeightError} a head that differs from the embedding
 */
export async function checkTiedHead(
  source: ByteSource,
  weights: readonly MatchedWeight[],
  buffers: readonly StoredTensor[],
  signal?: AbortSignal,
): Promise<void> {
  const head = buffers.find(({ name }) => name === "lm_head.weight");
  const embedding = weights.find(({ spec }) => spec.name === "model.embed_tokens.weight")?.stored;
  if (!head || !embedding || head.dtype !== embedding.dtype) return;
  const bytes = head.end - head.begin;
  const size = Math.min(bytes, SAMPLE_BYTES);
  // Samples are read in the order of the file. A server without Range requests sends the file as one stream.
  const samples = async ({ file, begin }: StoredTensor): Promise<Uint8Array[]> => {
    const read: Uint8Array[] = [];
    for (const at of [0, Math.floor((bytes - size) / 2), bytes - size]) {
      read.push((await source.read(file, begin + at, begin + at + size, signal)).slice());
    }
    return read;
  };
  const [ofEmbedding, ofHead] = [await samples(embedding), await samples(head)];
  if (ofEmbedding.some((sample, i) => sample.some((byte, j) => byte !== ofHead[i]![j]))) {
    throw new WeightError(
      "lm_head.weight: differs from model.embed_tokens.weight, although config.json has tie_word_embeddings true (set it to false to use the stored head, or remove the tensor to use the embedding)",
    );
  }
}

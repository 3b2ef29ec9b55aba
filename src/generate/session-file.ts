// Encodes and decodes saved sessions, whose format is in session-bytes.ts.

import { fnv1a } from "../base/hash.js";
import { Random } from "../base/random.js";
import type { KVType } from "../model/cache.js";
import { graph } from "../model/graph.js";
import type { Transformer } from "../model/transformer.js";
import { firstBytes } from "../weights/stored-rows.js";
import { Sequence } from "./sequence.js";
import { checkSession, parseSession, SESSION_HEADER_WORDS, SESSION_MAGIC, SESSION_VERSION } from "./session-bytes.js";

/** Storage types of keys and values, by their number in the file. */
const KV_TYPES: readonly KVType[] = ["f32", "bf16", "q8"];
/** Number of bytes of each weight that enter the fingerprint of a model. */
const FINGERPRINT_BYTES_PER_WEIGHT = 256;

/** Encodes a sequence. Decoding it gives the identical state, to the bit. */
export function encodeSequence(transformer: Transformer, sequence: Sequence): Uint8Array<ArrayBuffer> {
  const { ids, cache, random } = sequence;
  const words = new Uint32Array(SESSION_HEADER_WORDS + ids.length + cache.bytes / 4);
  words.set([
    SESSION_MAGIC,
    SESSION_VERSION,
    fingerprint(transformer),
    0,
    ids.length,
    cache.length,
    KV_TYPES.indexOf(cache.kv),
    random.seed,
    ...random.state,
  ]);
  words.set(ids, SESSION_HEADER_WORDS);
  let at = SESSION_HEADER_WORDS + ids.length;
  for (const tensor of cache.tensors()) {
    const values = transformer.rt.i32(tensor);
    words.set(values, at);
    at += values.length;
  }
  words[3] = fnv1a(words.subarray(4));
  return new Uint8Array(words.buffer);
}

/** Decodes a sequence. @throws {SessionError} bytes that are not a saved session, are damaged, or belong to another model or version */
export function decodeSequence(transformer: Transformer, bytes: Uint8Array): Sequence {
  const { model, ids, computed, kv, seed, random, state } = parseSession(bytes);
  checkSession(
    model === fingerprint(transformer),
    "expected a session of this model, got a session of another model. Configuration, weights and the option dtype must be the same.",
  );
  checkSession(
    KV_TYPES[kv] === transformer.kv,
    `expected keys and values in ${transformer.kv}, got ${KV_TYPES[kv] ?? "an unknown type"}. Load the model with the kv option that the session was saved with.`,
  );
  checkSession(
    ids.every((id) => id < transformer.config.vocabSize),
    "expected tokens of the vocabulary, got ids outside it (damaged)",
  );
  const cache = transformer.newCache();
  try {
    cache.resize(computed);
    checkSession(state.length === cache.bytes / 4, `expected ${cache.bytes} bytes of state, got ${state.length * 4}`);
    let at = 0;
    for (const tensor of cache.tensors()) {
      const values = transformer.rt.i32(tensor);
      values.set(state.subarray(at, at + values.length));
      at += values.length;
    }
    return Sequence.resume(transformer, ids, cache, Random.restored(seed, random));
  } catch (error) {
    cache.dispose();
    throw error;
  }
}

/** Computes a fingerprint of a model from the settings that determine a state and from the first bytes of every weight. */
function fingerprint({ config, weights }: Transformer): number {
  const { source, dtype, bosTokenId, eosTokenIds, maxPositionEmbeddings, initializerRange, routerAuxLossCoef, ...shaping } = config;
  const text = JSON.stringify(Object.entries(shaping).sort());
  let h = fnv1a(Uint32Array.from(text, (char) => char.codePointAt(0)!));
  for (const { name } of graph(config).tensors) {
    h = fnv1a(
      new Uint32Array(
        (weights.sample?.(name, FINGERPRINT_BYTES_PER_WEIGHT) ?? firstBytes(weights.at(name), FINGERPRINT_BYTES_PER_WEIGHT)).buffer,
      ),
      h,
    );
  }
  return h;
}

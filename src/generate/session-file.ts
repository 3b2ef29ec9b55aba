// Encodes and decodes saved sessions. A saved session consists of 32-bit little-endian words:
//
//     magic, version, fingerprint of the model, checksum of everything after it
//     number of ids, number of ids in the state, type of keys and values, seed, 4 words of random state
//     ids
//     the state's tensors as stored in memory, in the order of cache.tensors(); the fields above determine their sizes

import { SessionError } from "../base/errors.js";
import { fnv1a } from "../base/hash.js";
import { Random } from "../base/random.js";
import type { KVType } from "../model/cache.js";
import { graph } from "../model/graph.js";
import type { Transformer } from "../model/transformer.js";
import { firstBytes } from "../weights/stored-rows.js";
import { Sequence } from "./sequence.js";

const MAGIC = 0x53314d4c; // "LM1S"
const VERSION = 2;
/** Storage types of keys and values, by their number in the file. */
const KV_TYPES: readonly KVType[] = ["f32", "bf16", "q8"];
/** Number of bytes of each weight that enter the fingerprint of a model. */
const FINGERPRINT_BYTES_PER_WEIGHT = 256;
const HEADER_WORDS = 12;

/** Encodes a sequence. Decoding it gives the identical state, to the bit. */
export function encodeSequence(transformer: Transformer, sequence: Sequence): Uint8Array<ArrayBuffer> {
  const { ids, cache, random } = sequence;
  const words = new Uint32Array(HEADER_WORDS + ids.length + cache.bytes / 4);
  words.set([
    MAGIC,
    VERSION,
    fingerprint(transformer),
    0,
    ids.length,
    cache.length,
    KV_TYPES.indexOf(cache.kv),
    random.seed,
    ...random.state,
  ]);
  words.set(ids, HEADER_WORDS);
  let at = HEADER_WORDS + ids.length;
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
  const words = toWords(bytes);
  const [magic, version, model, checksum, count = 0, length = 0, kv = 0, seed = 0, ...state] = words.subarray(0, HEADER_WORDS);
  check(magic === MAGIC && words.length >= HEADER_WORDS, "expected a saved session, got other bytes");
  check(version === VERSION, `expected format version ${VERSION}, got ${version}. Save the session again with this version.`);
  check(
    model === fingerprint(transformer),
    "expected a session of this model, got a session of another model. Configuration and weights must be the same.",
  );
  check(
    state.some((word) => word !== 0),
    "expected the state of a random generator, got zeros (damaged)",
  );
  check(length <= count && HEADER_WORDS + count <= words.length, "expected all tokens of the session, got a truncated file");
  check(checksum === fnv1a(words.subarray(4)), "expected the bytes that were saved, got a different checksum (truncated or damaged)");
  check(
    KV_TYPES[kv] === transformer.kv,
    `expected keys and values in ${transformer.kv}, got ${KV_TYPES[kv] ?? "an unknown type"}. Load the model with the kv option that the session was saved with.`,
  );
  const ids = [...words.subarray(HEADER_WORDS, HEADER_WORDS + count)];
  check(
    ids.every((id) => id < transformer.config.vocabSize),
    "expected tokens of the vocabulary, got ids outside it (damaged)",
  );
  const cache = transformer.newCache();
  try {
    cache.resize(length);
    const numbers = words.subarray(HEADER_WORDS + count);
    check(numbers.length === cache.bytes / 4, `expected ${cache.bytes} bytes of state, got ${numbers.length * 4}`);
    let at = 0;
    for (const tensor of cache.tensors()) {
      const values = transformer.rt.i32(tensor);
      values.set(numbers.subarray(at, at + values.length));
      at += values.length;
    }
    return Sequence.resume(transformer, ids, cache, Random.restored(seed, state));
  } catch (error) {
    cache.dispose();
    throw error;
  }
}

function toWords(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  check(bytes instanceof Uint8Array, `expected a Uint8Array, got ${bytes === null ? "null" : typeof bytes}`);
  check(bytes.byteLength % 4 === 0, `expected whole words, got ${bytes.byteLength} bytes (truncated or extended)`);
  check(bytes.buffer.byteLength > 0, "expected bytes, got none (was their memory transferred to another thread?)");
  const copy = new Uint8Array(bytes);
  return new Uint32Array(copy.buffer);
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new SessionError(`restore: ${what}`);
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

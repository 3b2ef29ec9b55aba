// Reads saved sessions, without the model that they belong to. A saved session consists of 32-bit little-endian words:
//
//     magic, version, fingerprint of the model, checksum of everything after it
//     number of ids, number of ids in the state, type of keys and values, seed, 4 words of random state
//     ids
//     the state's tensors as stored in memory, in the order of cache.tensors(); the fields above determine their sizes

import { SessionError } from "../base/errors.js";
import { fnv1a } from "../base/hash.js";

export const SESSION_MAGIC = 0x53314d4c; // "LM1S"
export const SESSION_VERSION = 2;
export const SESSION_HEADER_WORDS = 12;

/** The parts of a saved session. */
export interface SavedSession {
  /** Fingerprint of the model. */
  readonly model: number;
  readonly ids: number[];
  /** Number of ids that the state contains. */
  readonly computed: number;
  /** Number of the storage type of keys and values. */
  readonly kv: number;
  readonly seed: number;
  readonly random: readonly number[];
  /** The state's tensors. */
  readonly state: Uint32Array;
}

/** Parses a saved session. @throws {SessionError} bytes that are not a saved session, are damaged, or have another version */
export function parseSession(bytes: Uint8Array): SavedSession {
  const words = toWords(bytes);
  const [magic, version, model = 0, checksum, count = 0, computed = 0, kv = 0, seed = 0, ...random] = words.subarray(
    0,
    SESSION_HEADER_WORDS,
  );
  checkSession(magic === SESSION_MAGIC && words.length >= SESSION_HEADER_WORDS, "expected a saved session, got other bytes");
  checkSession(
    version === SESSION_VERSION,
    `expected format version ${SESSION_VERSION}, got ${version}. Save the session again with this version.`,
  );
  checkSession(
    random.some((word) => word !== 0),
    "expected the state of a random generator, got zeros (damaged)",
  );
  const end = SESSION_HEADER_WORDS + count;
  checkSession(computed <= count && end <= words.length, "expected all tokens of the session, got a truncated file");
  checkSession(
    checksum === fnv1a(words.subarray(4)),
    "expected the bytes that were saved, got a different checksum (truncated or damaged)",
  );
  return { model, ids: [...words.subarray(SESSION_HEADER_WORDS, end)], computed, kv, seed, random, state: words.subarray(end) };
}

/** @throws {SessionError} the condition is false */
export function checkSession(condition: boolean, what: string): void {
  if (!condition) throw new SessionError(`restore: ${what}`);
}

function toWords(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  checkSession(bytes instanceof Uint8Array, `expected a Uint8Array, got ${bytes === null ? "null" : typeof bytes}`);
  checkSession(bytes.byteLength % 4 === 0, `expected whole words, got ${bytes.byteLength} bytes (truncated or extended)`);
  checkSession(bytes.buffer.byteLength > 0, "expected bytes, got none (was their memory transferred to another thread?)");
  const copy = new Uint8Array(bytes);
  return new Uint32Array(copy.buffer);
}

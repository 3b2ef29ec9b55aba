import * as v from "valibot";
import { callback, count, flag, milliseconds, millisecondsOrNone, number, parseOptions, text } from "../base/options.js";

/** What a server allows, and to whom. */
export interface ServeOptions {
  /** What the model is called: requests must name it, or none ("lightning-m1"). */
  name?: string;
  /** Whoever knows one of these may ask: `Authorization: Bearer <key>`. Without keys everybody may. */
  apiKey?: string | readonly string[];
  /** Origins whose pages may ask, such as `"https://example.com"`, in a list or separated by commas; `"*"` for all, `"null"` for pages without an origin. None by default. */
  cors?: string | readonly string[];
  /** Names by which the server may be called, without ports. Any by default; for one on loopback, its own names keep out pages that give themselves its address. */
  hosts?: readonly string[];
  /** Most sequences that are computed at a time (32); a quarter more for short requests, and for clients of whom nothing runs yet. */
  maxBatch?: number;
  /** Most bytes that the states of these may take (half of what the model leaves of 4 GiB). */
  maxCacheBytes?: number;
  /** Most requests that wait for their turn (128), and a quarter more for clients of whom nothing runs or waits; beyond that they are refused. */
  maxQueue?: number;
  /** Most tokens that a request may ask for, per answer (the model's context). */
  maxTokens?: number;
  /** Most bytes of a request (64 KiB and 32 bytes for every token of the context, at most 4 MiB). */
  maxBodyBytes?: number;
  /** Most time for a request, its wait included (600,000). */
  timeoutMs?: number;
  /** Most time for which a reader may leave an answer unread (30,000). */
  stallMs?: number;
  /** Requests may bring a chat template. It is a program that may block the server for 10 s: only for people that you trust. */
  trustTemplates?: boolean;
  /** Told of errors that are the server's own. */
  onError?: (error: unknown) => void;
  /** Told of origins whose pages were refused: each once, at most 100. The text is the client's. */
  onRefusedOrigin?: (origin: string) => void;
}

const oneOrMany = (schema: typeof text) => v.lazy((x): v.GenericSchema<string | string[]> => (Array.isArray(x) ? v.array(schema) : schema));

const schema = v.strictObject({
  name: v.optional(text, "lightning-m1"),
  apiKey: v.optional(oneOrMany(text), []),
  cors: v.optional(oneOrMany(text), []),
  hosts: v.optional(v.array(text, "an array of names")),
  maxBatch: v.optional(count, 32),
  maxCacheBytes: v.optional(count),
  maxQueue: v.optional(
    number("an integer of at least 0", (x) => Number.isInteger(x) && x >= 0),
    128,
  ),
  maxTokens: v.optional(
    number("an integer of at least 1, or Infinity", (x) => x >= 1 && (Number.isInteger(x) || x === Infinity)),
    Infinity,
  ),
  maxBodyBytes: v.optional(count),
  timeoutMs: v.optional(milliseconds, 600_000),
  stallMs: v.optional(milliseconds, 30_000),
  trustTemplates: v.optional(flag, false),
  onError: v.optional(callback<(error: unknown) => void>(), () => () => {}),
  onRefusedOrigin: v.optional(callback<(origin: string) => void>(), () => () => {}),
});

export type ServeSettings = v.InferOutput<typeof schema>;

/** @throws {InputError} an unknown option or a value out of its range */
export function parseServeOptions(options: ServeOptions): ServeSettings {
  return parseOptions(schema, options, "serve");
}

const drainSchema = v.strictObject({ graceMs: millisecondsOrNone });

/** @throws {InputError} a time that is none */
export function parseGraceMs(graceMs: number): number {
  return parseOptions(drainSchema, { graceMs }, "drain").graceMs;
}

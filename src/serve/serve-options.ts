import * as v from "valibot";
import { callback, count, flag, milliseconds, millisecondsFromZero, number, parseOptions, text } from "../base/options.js";

/** Options of a server: name, access and limits. */
export interface ServeOptions {
  /** Name of the model ("lightning-m1"). A request must give this name or no name. */
  name?: string;
  /** Accepted bearer tokens. Requests must send `Authorization: Bearer <key>`. Without keys, every request is accepted. */
  apiKey?: string | readonly string[];
  /**
   * Origins whose pages may send requests (none), as a list or separated by commas. An example is `"https://example.com"`. `"*"` allows all
   * origins, and `"null"` allows pages without an origin.
   */
  cors?: string | readonly string[];
  /**
   * Accepted host names, without ports (all). For a server on the loopback interface, list its names (localhost, 127.0.0.1). The server
   * then refuses web pages whose own name resolves to that address (DNS rebinding).
   */
  hosts?: readonly string[];
  /**
   * Maximum number of sequences that are generated at a time (32). A quarter more is available for short requests and for clients without
   * another request.
   */
  maxBatch?: number;
  /**
   * Maximum number of bytes for the states of these sequences. The default is half of the memory, out of 4 GiB, that the model does not
   * use.
   */
  maxCacheBytes?: number;
  /**
   * Maximum number of waiting requests (128). A quarter more is available for clients without another request. Further requests get status
   * 429.
   */
  maxQueue?: number;
  /** Maximum number of tokens per answer (the model's context). */
  maxTokens?: number;
  /** Maximum number of bytes of a request's body (64 KiB plus 32 bytes per token of the context, up to 4 MiB). */
  maxBodyBytes?: number;
  /** Milliseconds until a request is aborted, including its waiting time (600,000). */
  timeoutMs?: number;
  /** Milliseconds for which a client may leave a streamed answer unread before its connection is closed (30,000). */
  stallMs?: number;
  /**
   * Whether requests may contain chat templates (false). Allow this only for trusted clients: a template is a program and may block the
   * server for 10 s.
   */
  trustTemplates?: boolean;
  /** Called with internal errors, for which the client gets status 500. */
  onError?: (error: unknown) => void;
  /** Called once per refused origin, for at most 100 origins. The text comes from the client. */
  onRefusedOrigin?: (origin: string) => void;
}

/** Schema of a value or a list of values. */
export const oneOrMany = (schema: typeof text) =>
  v.lazy((x): v.GenericSchema<string | string[]> => (Array.isArray(x) ? v.array(schema) : schema));

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

/** Options with all defaults applied. */
export type ServeSettings = v.InferOutput<typeof schema>;

/** Checks the options of a server. @throws {InputError} an unknown option, or a value out of range */
export function parseServeOptions(options: ServeOptions): ServeSettings {
  return parseOptions(schema, options, "serve");
}

const drainSchema = v.strictObject({ graceMs: millisecondsFromZero });

/** Checks the time for a graceful stop. @throws {InputError} an invalid time */
export function parseGraceMs(graceMs: number): number {
  return parseOptions(drainSchema, { graceMs }, "drain").graceMs;
}

import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { callback, count, expectArgument, flag, index, milliseconds, parseOptions, signal, text } from "../base/options.js";

/** The function that sends requests: the global `fetch`, another implementation of it, or a function that takes the place of a server. */
export type Fetch = (
  url: string,
  init: {
    readonly method: "GET" | "POST";
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal: AbortSignal;
  },
) => Promise<FetchResponse>;

/** The part of `Response` that this library uses. */
export interface FetchResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: {
    getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>; cancel(): Promise<unknown> };
  } | null;
}

/** Options of a connection to a server. */
export interface ConnectOptions {
  /** Name of the model on the server. Not needed if the server has only one model. */
  model?: string;
  /** API key, which is sent as a bearer token. It never appears in an error message. */
  apiKey?: string;
  /** Additional headers of every request. */
  headers?: Readonly<Record<string, string>>;
  /** Maximum time in milliseconds until a response starts (60,000). */
  timeoutMs?: number;
  /**
   * Maximum time in milliseconds between two chunks of a response (300,000, which is the limit of Node's own `fetch`). Before the first
   * token of a long prompt, the server is silent unless it sends comments.
   */
  silenceMs?: number;
  /**
   * Maximum number of retries of a request that fails before its first token (4). Only temporary failures are retried: broken connections,
   * the statuses 408, 409 and 429, and those from 500 on except 501.
   */
  retries?: number;
  /**
   * Milliseconds before the first retry (500). The delay doubles with each retry, up to a minute, and half of it is random. If the server
   * asks for a longer delay of up to a minute, the client waits that long.
   */
  retryDelayMs?: number;
  /** Maximum number of concurrent requests of a batch (32). */
  concurrency?: number;
  /**
   * Whether the server supports the additions of vLLM and `lightning-m1 serve` to OpenAI's interface (true). These are token ids, `topK`,
   * `minP`, `repetitionPenalty`, `stopIds` and `template`.
   */
  extensions?: boolean;
  /** The function that sends requests (the global `fetch`). Replace it to use a proxy, to set headers of single requests, or in tests. */
  fetch?: Fetch;
  signal?: AbortSignal;
}

const schema = v.strictObject({
  model: v.optional(text),
  apiKey: v.optional(v.unknown()),
  headers: v.optional(
    v.record(
      v.string(),
      v.custom<string>((x) => typeof x === "string", "text"),
    ),
    {},
  ),
  timeoutMs: v.optional(milliseconds, 60_000),
  silenceMs: v.optional(milliseconds, 300_000),
  retries: v.optional(index, 4),
  retryDelayMs: v.optional(milliseconds, 500),
  concurrency: v.optional(count, 32),
  extensions: v.optional(flag, true),
  fetch: v.optional(callback<Fetch>(), () => (url: string, init: RequestInit) => fetch(url, init)),
  signal: v.optional(signal),
});

/** Checks the options of `connect`. @throws {InputError} an unknown option or an invalid value; the message does not show the key */
export function parseConnectOptions(options: ConnectOptions) {
  const { apiKey, ...rest } = parseOptions(schema, options, "connect");
  if (apiKey !== undefined && !(typeof apiKey === "string" && /^[\x21-\x7e]+$/.test(apiKey))) {
    throw new InputError("connect: apiKey: expected visible ASCII characters without spaces, got other characters");
  }
  for (const [name, value] of Object.entries(rest.headers)) {
    try {
      new Headers({ [name]: value });
    } catch {
      throw new InputError(
        `connect: headers: ${JSON.stringify(name)}: expected characters that an HTTP header may contain, got invalid characters in the name or the value`,
      );
    }
  }
  return { ...rest, apiKey };
}

/** Parses the base address of an API. The result ends in a slash. @throws {InputError} an invalid address, or an address with a password */
export function parseBaseUrl(url: string | URL): URL {
  expectArgument(
    "connect: url",
    typeof url === "string" || typeof url?.href === "string",
    "the base address of an API, such as http://127.0.0.1:8000/v1",
    url,
  );
  let base: URL;
  try {
    base = new URL(url);
  } catch (cause) {
    throw new InputError(
      `connect: url: expected the base address of an API, such as http://127.0.0.1:8000/v1, got ${JSON.stringify(
        String(url)
          .replace(/\/\/.*@/, "//***@")
          .slice(0, 80),
      )}`,
      { cause },
    );
  }
  if (!/^https?:$/.test(base.protocol)) throw new InputError(`connect: url: expected http: or https:, got ${base.protocol}`);
  if (base.username || base.password)
    throw new InputError("connect: url: expected an address without credentials, got a user name or password. Pass the API key as apiKey.");
  base.hash = "";
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return base;
}

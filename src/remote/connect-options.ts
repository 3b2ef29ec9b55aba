import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { callback, count, expectArgument, flag, index, milliseconds, parseOptions, signal, text } from "../base/options.js";

/** What requests are made with: the global `fetch`, another implementation of it, or a function that stands in for a server. */
export type Fetch = (
  url: string,
  init: {
    readonly method: "GET" | "POST";
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal: AbortSignal;
  },
) => Promise<FetchResponse>;

/** What is read of a `Response`. */
export interface FetchResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: {
    getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>; cancel(): Promise<unknown> };
  } | null;
}

/** How to speak to a server. */
export interface ConnectOptions {
  /** The model's name there. Not needed if the server has only one. */
  model?: string;
  /** Sent as a Bearer token, and never part of a message. */
  apiKey?: string;
  /** Further headers of every request. */
  headers?: Readonly<Record<string, string>>;
  /** Most milliseconds until an answer begins (60,000). */
  timeoutMs?: number;
  /** Most milliseconds between two pieces of an answer (300,000, which is also where Node's own `fetch` ends it): a long prompt is silent until its first token, unless the server sends comments meanwhile. */
  silenceMs?: number;
  /** How often a request is tried again that fails before its first token and may succeed later: statuses 408, 409, 429 and from 500 on but for 501, and broken connections (4). */
  retries?: number;
  /** Milliseconds before it is tried again for the first time (500); doubles up to a minute, half of it at random. A server that asks for a longer pause gets it, up to a minute. */
  retryDelayMs?: number;
  /** Most requests of a batch at a time (32). */
  concurrency?: number;
  /** Whether the server knows what vLLM and `lightning-m1 serve` add to OpenAI's interface (true): token ids, `topK`, `minP`, `repetitionPenalty`, `stopIds`, `template`. */
  extensions?: boolean;
  /** Makes the requests (the global `fetch`): for proxies, headers of a single request, or tests. */
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

/** @throws {InputError} an unknown option or one that cannot be worked with; the key is not shown */
export function parseConnectOptions(options: ConnectOptions) {
  const { apiKey, ...rest } = parseOptions(schema, options, "connect");
  if (apiKey !== undefined && !(typeof apiKey === "string" && /^[\x21-\x7e]+$/.test(apiKey))) {
    throw new InputError("connect: apiKey: expected visible ASCII characters without spaces, got something else");
  }
  for (const [name, value] of Object.entries(rest.headers)) {
    try {
      new Headers({ [name]: value });
    } catch {
      throw new InputError(
        `connect: headers: ${JSON.stringify(name)}: expected the name and the value of a header, got what cannot be sent as one`,
      );
    }
  }
  return { ...rest, apiKey };
}

/** The API's base, which ends in a slash. @throws {InputError} no address of a server, or one that holds a password */
export function parseBaseUrl(url: string | URL): URL {
  expectArgument(
    "connect: url",
    typeof url === "string" || typeof url?.href === "string",
    "the base of an API, as http://127.0.0.1:8000/v1",
    url,
  );
  let base: URL;
  try {
    base = new URL(url);
  } catch (cause) {
    throw new InputError(
      `connect: url: expected the base of an API, as http://127.0.0.1:8000/v1, got ${JSON.stringify(
        String(url)
          .replace(/\/\/.*@/, "//***@")
          .slice(0, 80),
      )}`,
      { cause },
    );
  }
  if (!/^https?:$/.test(base.protocol)) throw new InputError(`connect: url: expected http: or https:, got ${base.protocol}`);
  if (base.username || base.password)
    throw new InputError("connect: url: expected no user name and password, got some (a server takes its key as apiKey)");
  base.hash = "";
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return base;
}

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { callback, count, expectArgument, milliseconds, parseOptions, signal, text } from "../../base/options.js";
import { parseUrl } from "../../base/url.js";
import type { ChatMessage } from "../../text/format-chat.js";
import type { AssistantMessage } from "../environment.js";

/** Options of {@link openEnv}. Defaults are in parentheses. */
export interface OpenEnvClientOptions {
  /** Which environment of a server with several. */
  environment?: string;
  /** API key, which is sent as a bearer token. It never appears in an error message. */
  apiKey?: string;
  /** Additional headers of every request. */
  headers?: Readonly<Record<string, string>>;
  /** Maximum milliseconds until a connection is open, or a description of the environment arrives (30,000). */
  connectTimeoutMs?: number;
  /** Maximum milliseconds of a reset or a step (120,000). */
  stepTimeoutMs?: number;
  /** Maximum milliseconds to wait for a server that has no capacity for another episode (600,000). */
  capacityTimeoutMs?: number;
  /** Maximum number of episodes at a time (32). Further ones wait. */
  concurrency?: number;
  /** Maximum number of bytes of a message of the server (16 MiB). */
  maxMessageBytes?: number;
  /**
   * Turns an observation of another program's server into messages for the model. The default is one message of the user: the only text of
   * the observation, or its JSON.
   */
  toMessages?: (observation: Readonly<Record<string, unknown>>, context: { readonly isFirst: boolean }) => readonly ChatMessage[];
  /**
   * Turns a message of the model into an action of another program's server. By default, the content of the message becomes the only
   * required text of the action's schema; if there is no such text, the content must be the JSON of an action.
   *
   * @throws {ToolError} the message is no action; the model sees the error, and the episode goes on
   */
  toAction?: (message: AssistantMessage) => Readonly<Record<string, unknown>>;
  /** Cancels {@link openEnv}. */
  signal?: AbortSignal;
}

const schema = v.strictObject({
  environment: v.optional(text),
  apiKey: v.optional(v.unknown()),
  headers: v.optional(v.record(v.string(), v.string("a string")), {}),
  connectTimeoutMs: v.optional(milliseconds, 30_000),
  stepTimeoutMs: v.optional(milliseconds, 120_000),
  capacityTimeoutMs: v.optional(milliseconds, 600_000),
  concurrency: v.optional(count, 32),
  maxMessageBytes: v.optional(count, 2 ** 24),
  toMessages: v.optional(callback<NonNullable<OpenEnvClientOptions["toMessages"]>>()),
  toAction: v.optional(callback<NonNullable<OpenEnvClientOptions["toAction"]>>()),
  signal: v.optional(signal),
});

/** Options with all defaults applied. */
export type OpenEnvClientSettings = Omit<v.InferOutput<typeof schema>, "apiKey"> & { readonly apiKey: string | undefined };

/** Checks the options. @throws {InputError} an unknown option or an invalid value; the message does not show the key */
export function parseClientOptions(options: OpenEnvClientOptions): OpenEnvClientSettings {
  const { apiKey, ...rest } = parseOptions(schema, options, "openEnv");
  if (apiKey !== undefined && !(typeof apiKey === "string" && /^[\x21-\x7e]+$/.test(apiKey))) {
    throw new InputError("openEnv: apiKey: expected visible ASCII characters without spaces, got other characters");
  }
  for (const [name, value] of Object.entries(rest.headers)) {
    try {
      new Headers({ [name]: value });
    } catch {
      throw new InputError(`openEnv: headers: ${JSON.stringify(name)}: expected characters that a header may contain, got others`);
    }
  }
  return { ...rest, apiKey };
}

/** Parses the address of a server. The result ends in a slash. @throws {InputError} an invalid address, or one with a password */
export function parseServerUrl(url: string | URL): URL {
  const isUrl = typeof url === "string" || (url instanceof URL && typeof url.href === "string");
  expectArgument("openEnv: url", isUrl, "the address of a server, such as http://127.0.0.1:8000", url);
  const hidden = String(url).replace(/\/\/.*@/, "//***@");
  const base = parseUrl(url);
  if (!base) {
    throw new InputError(`openEnv: url: expected an address such as http://127.0.0.1:8000, got ${JSON.stringify(hidden.slice(0, 80))}`);
  }
  base.protocol = base.protocol.replace(/^ws/, "http");
  if (!/^https?:$/.test(base.protocol)) throw new InputError(`openEnv: url: expected http:, https:, ws: or wss:, got ${base.protocol}`);
  if (base.username || base.password) {
    throw new InputError("openEnv: url: expected an address without user name and password, got one with them (use the option apiKey)");
  }
  base.hash = "";
  base.search = "";
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return base;
}

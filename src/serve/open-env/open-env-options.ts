import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { callback, count, expectArgument, flag, isObjectLike, milliseconds, parseOptions, text } from "../../base/options.js";
import type { Environment } from "../../environments/environment.js";
import { oneOrMany } from "../serve-options.js";

/** A kind of task that a server offers, with its rows. */
export interface ServedEnvironment {
  readonly environment: Environment;
  /** The data of the tasks. Clients name them by index, and do not see them. */
  readonly rows: readonly object[];
  /** A sentence for `GET /metadata`. */
  readonly description?: string;
}

/** The function `upgradeWebSocket` of one of Hono's adapters, as far as it is used here. The declarations of this library need no Hono. */
export type UpgradeWebSocket = (
  createEvents: () => {
    onOpen(event: unknown, socket: { send(text: string): void; close(code?: number, reason?: string): void }): void;
    onMessage(event: { readonly data: unknown }): void;
    onClose(): void;
  },
) => (context: never, next: () => Promise<void>) => unknown;

/** Options of a server of environments: name, access and limits. Defaults are in parentheses. */
export interface OpenEnvOptions {
  /** Name in `GET /metadata` (the name of the environment, or "lightning-m1" if there are several). */
  name?: string;
  /** Description in `GET /metadata`. */
  description?: string;
  /** Accepted bearer tokens. Requests must send `Authorization: Bearer <key>`. Without keys, every request is accepted. */
  apiKey?: string | readonly string[];
  /** Origins whose pages may send requests (none), as for `Server`. */
  cors?: string | readonly string[];
  /** Accepted host names, without ports (all), as for `Server`. */
  hosts?: readonly string[];
  /** Maximum number of episodes at a time (64). Each WebSocket connection counts as one. */
  maxEpisodes?: number;
  /** Maximum number of the model's messages in an episode (40). After the last one, the episode is truncated and judged. */
  maxTurns?: number;
  /** Milliseconds after which an episode without requests is thrown away, and its connection closed (600,000). */
  idleMs?: number;
  /** Maximum milliseconds of a reset or a step (120,000). Clients may ask for less. An episode that exceeds it is over and not judged. */
  stepTimeoutMs?: number;
  /** Maximum number of bytes of a request's body or of a WebSocket message (1 MiB). */
  maxBodyBytes?: number;
  /** Whether clients may send rows of their own (false). A row may be code that an environment runs. */
  acceptRows?: boolean;
  /** Opens WebSockets on platforms other than Node, where `listen` does it. It comes from Hono's adapter of the platform. */
  upgradeWebSocket?: UpgradeWebSocket;
  /** Called with errors of environments, of which clients get only a general sentence. */
  onError?: (error: unknown) => void;
}

const schema = v.strictObject({
  name: v.optional(text),
  description: v.optional(text),
  apiKey: v.optional(oneOrMany(text), []),
  cors: v.optional(oneOrMany(text), []),
  hosts: v.optional(v.array(text, "an array of names")),
  maxEpisodes: v.optional(count, 64),
  maxTurns: v.optional(count, 40),
  idleMs: v.optional(milliseconds, 600_000),
  stepTimeoutMs: v.optional(milliseconds, 120_000),
  maxBodyBytes: v.optional(count, 2 ** 20),
  acceptRows: v.optional(flag, false),
  upgradeWebSocket: v.optional(callback<UpgradeWebSocket>()),
  onError: v.optional(callback<(error: unknown) => void>(), () => () => {}),
});

/** Options with all defaults applied. */
export type OpenEnvSettings = v.InferOutput<typeof schema>;

/** Checks the options. @throws {InputError} an unknown option, or a value out of range */
export const parseOpenEnvOptions = (options: OpenEnvOptions): OpenEnvSettings => parseOptions(schema, options, "OpenEnvServer");

/** Checks the environments. @throws {InputError} none of them, a name twice, or an environment without rows */
export function expectServed(environments: readonly ServedEnvironment[], acceptRows: boolean): void {
  expectArgument("OpenEnvServer: environments", Array.isArray(environments), "an array of { environment, rows }", environments);
  if (environments.length === 0) throw new InputError("OpenEnvServer: environments: expected at least one, got none");
  for (const [i, served] of environments.entries()) {
    const { environment, rows } = isObjectLike(served) ? served : ({} as Partial<ServedEnvironment>);
    const fits = isObjectLike(environment) && typeof environment.name === "string" && typeof environment.start === "function";
    expectArgument(`OpenEnvServer: environments[${i}]`, fits && Array.isArray(rows), "{ environment, rows }", served);
    if (rows!.length === 0 && !acceptRows) {
      throw new InputError(`OpenEnvServer: environments[${i}]: rows: expected at least one, got none (or set acceptRows)`);
    }
  }
  const names = environments.map(({ environment }) => environment.name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new InputError(`OpenEnvServer: environments: expected different names, got ${twice} twice`);
}

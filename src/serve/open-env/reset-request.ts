// What a reset and a step may say, over HTTP and over WebSockets.

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import { index, number, parseOptions, SEED_LIMIT } from "../../base/options.js";
import { Random } from "../../base/random.js";
import type { Environment } from "../../environments/environment.js";
import type { ServedEnvironment } from "./open-env-options.js";

const MAX_ID_CHARACTERS = 255;

const object = v.custom<Record<string, unknown>>(isObject, "an object");
const id = v.custom<string>(
  (x) => typeof x === "string" && x !== "" && x.length <= MAX_ID_CHARACTERS,
  `a string of 1 to ${MAX_ID_CHARACTERS} characters`,
);

const resetSchema = v.strictObject({
  seed: v.nullish(index),
  episode_id: v.nullish(id),
  environment: v.nullish(v.string("a name")),
  index: v.nullish(index),
  row: v.nullish(object),
});

const stepSchema = v.strictObject({
  action: v.unknown(),
  episode_id: v.nullish(id),
  timeout_s: v.nullish(number("a number of seconds above 0", (x) => x > 0)),
  request_id: v.nullish(id),
});

const closeSchema = v.strictObject({ episode_id: id });

/** What an episode is to be started with. */
export interface ResetRequest {
  readonly id: string | undefined;
  readonly environment: Environment;
  readonly row: object;
  readonly index: number | null;
  readonly seed: number;
}

/**
 * Parses a reset. Without an index, the seed chooses the row.
 *
 * @throws {InputError} an unknown field, an invalid value, an unknown environment or index, or a row that the server does not accept
 */
export function parseReset(body: unknown, environments: readonly ServedEnvironment[], acceptRows: boolean): ResetRequest {
  const request = parseOptions(resetSchema, expectObject("reset", body), "reset", "field");
  const names = environments.map(({ environment }) => environment.name);
  const served = request.environment == null ? environments[0]! : environments[names.indexOf(request.environment)];
  if (!served || (request.environment == null && environments.length > 1)) {
    const got = request.environment == null ? "none" : JSON.stringify(request.environment.slice(0, 80));
    throw new InputError(`reset: environment: expected ${names.join(" or ")}, got ${got}`);
  }
  const { environment, rows } = served;
  const seed = (request.seed ?? Random.anySeed()) % SEED_LIMIT;
  const common = { id: request.episode_id ?? undefined, environment, seed };
  if (request.row != null) {
    if (!acceptRows) throw new InputError("reset: row: expected an index, because this server accepts no rows of clients, got a row");
    if (request.index != null) throw new InputError("reset: expected index or row, got both");
    return { ...common, row: request.row, index: null };
  }
  if (rows.length === 0) throw new InputError(`reset: row: expected a row, because ${environment.name} has none on this server, got none`);
  const at = request.index ?? Math.floor(Random.seeded(seed).next() * rows.length);
  if (at >= rows.length) throw new InputError(`reset: index: expected an integer within [0, ${rows.length - 1}], got ${at}`);
  return { ...common, row: rows[at]!, index: at };
}

/** Parses a step over HTTP. @throws {InputError} an unknown field or an invalid value */
export function parseStep(body: unknown) {
  const { action, episode_id, timeout_s, request_id } = parseOptions(stepSchema, expectObject("step", body), "step", "field");
  if (episode_id == null) {
    throw new InputError("step: episode_id: expected the episode_id in the observation of the reset, got none (or use the WebSocket /ws)");
  }
  return {
    action,
    id: episode_id,
    timeoutMs: timeout_s == null ? Number.POSITIVE_INFINITY : 1000 * timeout_s,
    requestId: request_id ?? undefined,
  };
}

/** Parses the end of an episode over HTTP. @throws {InputError} no id */
export const parseClose = (body: unknown): string => parseOptions(closeSchema, expectObject("close", body), "close", "field").episode_id;

function expectObject(where: string, body: unknown): Record<string, unknown> {
  if (isObject(body)) return body;
  throw new InputError(`${where}: expected an object, got ${Array.isArray(body) ? "array" : body === null ? "null" : typeof body}`);
}

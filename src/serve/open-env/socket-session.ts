import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import { parseAction } from "./actions.js";
import type { Connection, EpisodeTable } from "./episode-table.js";
import { OpenEnvError, toOpenEnvError } from "./open-env-error.js";
import type { OpenEnvSettings, ServedEnvironment } from "./open-env-options.js";
import { parseReset, parseStep } from "./reset-request.js";
import type { ServedEpisode } from "./served-episode.js";

/** Maximum number of messages that wait for their turn. Clients wait for an answer before they send the next message. */
const MAX_PENDING = 32;

/** Status codes of closing (RFC 6455, section 7.4.1). */
const NORMAL = 1000;
const POLICY = 1008;

/** Fields of messages, by their type. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  reset: ["type", "data"],
  step: ["type", "data"],
  state: ["type"],
  close: ["type"],
};

interface Socket {
  send(text: string): void;
  close(code: number, reason?: string): void;
}

/** One WebSocket connection with an episode of its own. Messages are answered in their order. */
export class SocketSession implements Connection {
  private episode: ServedEpisode | undefined;
  private isClosed = false;
  private pending = 0;
  private chain: Promise<void> = Promise.resolve();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly table: EpisodeTable,
    private readonly environments: readonly ServedEnvironment[],
    private readonly settings: OpenEnvSettings,
  ) {
    try {
      table.connect(this);
      this.awaitMessage();
    } catch (error) {
      this.fail(toOpenEnvError(error));
    }
  }

  get isActive(): boolean {
    return this.pending > 0 || (this.episode !== undefined && !this.episode.isOver);
  }

  /** Handles a message of the client. */
  receive(message: unknown): void {
    if (this.isClosed) return;
    if (this.pending >= MAX_PENDING) {
      this.fail(new OpenEnvError("SESSION_ERROR", 409, `at most ${MAX_PENDING} messages may wait for an answer`));
      return;
    }
    this.pending++;
    clearTimeout(this.timer);
    this.chain = this.chain.then(async () => {
      await this.handle(message).catch((cause: unknown) => {
        const error = toOpenEnvError(cause);
        if (error.code === "EXECUTION_ERROR" && !(cause instanceof OpenEnvError)) this.settings.onError(cause);
        this.send({ type: "error", data: error.data });
      });
      this.pending--;
      if (this.pending === 0 && !this.isClosed) this.awaitMessage();
      this.table.checkIdle();
    });
  }

  /** Ends the session: closes the connection, and throws the episode away. */
  close(code = NORMAL, reason = ""): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearTimeout(this.timer);
    this.socket.close(code, reason);
    void this.episode?.close();
    this.table.disconnect(this);
  }

  private async handle(message: unknown): Promise<void> {
    if (this.isClosed) return;
    const { type, data } = parseMessage(message);
    if (type === "close") return this.close();
    if (type === "state") return this.send({ type: "state", data: this.episode?.state ?? { episode_id: null, step_count: 0 } });
    this.send({ type: "observation", data: await (type === "reset" ? this.reset(data) : this.step(data)) });
  }

  private async reset(data: unknown) {
    const request = parseReset(data ?? {}, this.environments, this.settings.acceptRows);
    const episode = this.table.create(request);
    await this.episode?.close();
    if (this.isClosed) throw new OpenEnvError("SESSION_ERROR", 409, "the connection was closed");
    this.episode = episode;
    return episode.start();
  }

  private step(data: unknown) {
    if (!this.episode) throw new OpenEnvError("SESSION_ERROR", 409, "step: no episode on this connection; send a reset first");
    // Clients send the action itself, or the fields of a step over HTTP.
    const isRequest = isObject(data) && "action" in data;
    const { action, timeoutMs, requestId } = isRequest
      ? parseStep({ ...data, episode_id: this.episode.id })
      : { action: data, timeoutMs: Number.POSITIVE_INFINITY, requestId: undefined };
    return this.episode.step(parseAction(action), { timeoutMs, requestId });
  }

  private awaitMessage(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () => this.fail(new OpenEnvError("SESSION_ERROR", 409, `no message for ${this.settings.idleMs / 1000} s; the connection is closed`)),
      this.settings.idleMs,
    );
  }

  /** Tells the client why, and closes the connection. */
  private fail(error: OpenEnvError): void {
    this.send({ type: "error", data: error.data });
    this.close(POLICY, error.code);
  }

  private send(message: object): void {
    if (!this.isClosed) this.socket.send(JSON.stringify(message));
  }
}

/** Parses a message. @throws {OpenEnvError} INVALID_JSON, UNKNOWN_TYPE; {InputError} unknown fields */
function parseMessage(message: unknown): { readonly type: string; readonly data: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(typeof message === "string" ? message : "");
  } catch (cause) {
    const got = typeof message === "string" ? (cause as Error).message.slice(0, 200) : "a binary message";
    throw new OpenEnvError("INVALID_JSON", 400, `message: expected JSON, got ${got}`);
  }
  if (!isObject(value)) throw new InputError("message: expected an object { type, data }, got another value");
  const { type, data } = value;
  const fields = typeof type === "string" && Object.hasOwn(FIELDS, type) ? FIELDS[type]! : undefined;
  if (!fields) {
    const got = typeof type === "string" ? JSON.stringify(type.slice(0, 80)) : "none";
    throw new OpenEnvError("UNKNOWN_TYPE", 422, `type: expected ${Object.keys(FIELDS).join(", ")}, got ${got}`);
  }
  const unknown = Object.keys(value).find((name) => !fields.includes(name));
  if (unknown !== undefined) throw new InputError(`message: ${unknown.slice(0, 80)}: unknown field (fields: ${fields.join(", ")})`);
  return { type: type as string, data };
}

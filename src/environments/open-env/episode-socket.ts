import { canSendHeaders, openTextSocket, type TextSocket } from "#websocket";
import { followSignals } from "../../base/abort.js";
import { InputError, RemoteError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { OpenEnvClientSettings } from "./options.js";

/** Longest text of a server in a message of an error. */
const MAX_SERVER_TEXT = 400;

/** An error that the server reports. */
export class ServerError extends RemoteError {
  constructor(
    message: string,
    readonly code: string,
    /** What the server says, without the address. */
    readonly said: string,
  ) {
    super(message, { retryable: code === "CAPACITY_REACHED" });
  }
}

interface Waiting {
  resolve(message: Record<string, unknown>): void;
  reject(error: unknown): void;
}

/** The WebSocket of one episode. Each request has one answer. */
export class EpisodeSocket {
  private waiting: Waiting | undefined;
  private ended: string | undefined;
  /** An error that the server reported before it was asked, such as that it has no capacity. */
  private unasked: ServerError | undefined;
  /** Number of answers to cancelled requests that have not arrived. */
  private late = 0;
  /** The data of the last answer to a cancelled request. */
  lateAnswer: Record<string, unknown> | undefined;
  private socket: TextSocket | undefined;

  private constructor(
    private readonly url: URL,
    private readonly settings: OpenEnvClientSettings,
  ) {}

  /** Opens a connection. @throws {RemoteError} no connection */
  static async open(base: URL, settings: OpenEnvClientSettings, signal: AbortSignal): Promise<EpisodeSocket> {
    const url = new URL("ws", base);
    url.protocol = url.protocol.replace(/^http/, "ws");
    const socket = new EpisodeSocket(url, settings);
    const { apiKey, headers, connectTimeoutMs, maxMessageBytes } = settings;
    const allHeaders = { ...headers, ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) };
    if (!canSendHeaders && Object.keys(allHeaders).length > 0) {
      throw new InputError("openEnv: expected neither apiKey nor headers in a browser, whose WebSockets cannot send them, got some");
    }
    const controller = new AbortController();
    const unfollow = followSignals(controller, [signal]);
    const late = socket.error(`the connection was not open after ${connectTimeoutMs} ms (connectTimeoutMs sets this limit)`);
    const timer = setTimeout(() => controller.abort(late), connectTimeoutMs);
    try {
      socket.socket = await openTextSocket(url.href, {
        headers: allHeaders,
        maxBytes: maxMessageBytes,
        signal: controller.signal,
        onMessage: (text) => socket.receive(text),
        onClose: (reason) => socket.end(`the connection was closed (${reason})`),
      });
      return socket;
    } catch (cause) {
      signal.throwIfAborted();
      if (cause === late) throw late;
      const { message } = cause as Error;
      throw socket.error(`no connection: ${message} (is the server running at this address, and is the API key right?)`, { cause });
    } finally {
      clearTimeout(timer);
      unfollow();
    }
  }

  /**
   * Sends a message and returns the data of the answer.
   *
   * @throws {ServerError} the server reports an error
   * @throws {RemoteError} the connection ends, or the answer is invalid or late
   */
  async request(
    message: { readonly type: "reset" | "step"; readonly data: object },
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const { stepTimeoutMs } = this.settings;
    signal.throwIfAborted();
    if (this.unasked) throw this.unasked;
    if (this.ended !== undefined) throw this.error(this.ended);
    const stop = () => this.waiting?.reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const timer = setTimeout(() => {
      this.waiting?.reject(this.error(`${message.type}: no answer after ${stepTimeoutMs} ms (stepTimeoutMs sets this limit)`));
    }, stepTimeoutMs);
    try {
      return await new Promise<Record<string, unknown>>((resolve, reject) => {
        this.waiting = { resolve, reject };
        this.socket!.send(JSON.stringify(message));
      });
    } catch (error) {
      if (signal.aborted && error === signal.reason) this.late++;
      // The server is out of step.
      else if (!(error instanceof ServerError)) this.close();
      throw error;
    } finally {
      this.waiting = undefined;
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  /** Tells the server that the episode is over, and closes the connection. */
  close(): void {
    const { socket } = this;
    this.socket = undefined;
    if (!socket || this.ended !== undefined) return;
    this.ended = "the connection is closed";
    try {
      socket.send('{"type":"close"}');
    } catch {
      // The connection has ended in the meantime.
    }
    socket.close();
  }

  /** Creates an error of this connection. Its message shows neither key nor query. */
  error(what: string, options: ErrorOptions = {}): RemoteError {
    return new RemoteError(this.hide(`openEnv: ${this.url.origin}${this.url.pathname}: ${what}`), { retryable: true, ...options });
  }

  private receive(text: string): void {
    const { waiting } = this;
    const fail = (what: string, cause?: unknown) => waiting?.reject(this.error(what, { cause }));
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch (cause) {
      fail(`expected an answer in JSON, got ${JSON.stringify(text.slice(0, 80))}`, cause);
      return;
    }
    if (!isObject(message)) {
      fail("expected an answer { type, data }, got another value");
      return;
    }
    const { type, data } = message;
    // Servers may send other messages, such as signs of life.
    if (type !== "observation" && type !== "error") return;
    if (this.late > 0) {
      this.late--;
      if (isObject(data)) this.lateAnswer = data;
    } else if (type === "error" && waiting) waiting.reject(this.serverError(data));
    else if (type === "error") this.unasked = this.serverError(data);
    else if (isObject(data)) waiting?.resolve(data);
    else fail("expected an observation, got another value");
  }

  private serverError(data: unknown): ServerError {
    const { message, code } = isObject(data) ? data : { message: data };
    const said = this.hide((typeof message === "string" ? message : (JSON.stringify(message) ?? "")).slice(0, MAX_SERVER_TEXT));
    const name = typeof code === "string" && /^[A-Z_]{1,40}$/.test(code) ? code : "UNKNOWN";
    return new ServerError(this.error(`the server reports ${name}: ${said}`).message, name, said);
  }

  private end(reason: string): void {
    this.ended ??= reason;
    this.waiting?.reject(this.error(reason));
  }

  private hide(text: string): string {
    const { apiKey } = this.settings;
    return apiKey ? text.replaceAll(apiKey, "***") : text;
  }
}

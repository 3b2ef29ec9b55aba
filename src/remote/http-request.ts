import { followSignals } from "../base/abort.js";
import { RemoteError } from "../base/errors.js";
import { isObject } from "../base/json.js";
import { printed } from "../base/printed.js";
import { parseRetryAfter } from "../io/retry.js";
import type { FetchResponse } from "./connect-options.js";
import type { ConnectionSettings } from "./connection.js";
import { readJson, serverMessage, statusMessage } from "./server-message.js";

/**
 * Maximum number of characters of one event, or of a whole JSON response. The ids of a prompt of a million tokens take 7 million
 * characters.
 */
export const MAX_ANSWER_CHARACTERS = 1 << 24;

/** One HTTP request. Its errors name the request and hide the API key. */
export class HttpRequest {
  private readonly controller = new AbortController();
  private readonly unfollow: () => void;

  constructor(
    private readonly settings: ConnectionSettings,
    private readonly url: URL,
    private readonly body: object | undefined,
    private readonly outer: AbortSignal,
  ) {
    this.unfollow = followSignals(this.controller, [outer]);
  }

  /**
   * Sends the request and waits for the headers of the response.
   *
   * @param limit the setting that limits the wait
   * @throws {RemoteError} no connection, no response in time, or an error status
   */
  async send(accept: string, limit: "timeoutMs" | "silenceMs" = "timeoutMs"): Promise<FetchResponse> {
    const { apiKey, headers, fetch } = this.settings;
    const response = await this.withTimeout(this.settings[limit], "an answer", limit, () =>
      fetch(this.url.href, {
        method: this.body ? "POST" : "GET",
        headers: {
          ...headers,
          accept,
          ...(this.body && { "content-type": "application/json" }),
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        },
        ...(this.body && { body: JSON.stringify(this.body) }),
        signal: this.controller.signal,
      }),
    );
    if (typeof response?.status !== "number" || typeof response.headers?.get !== "function") {
      throw this.error("expected a Response from the option fetch, got another value");
    }
    if (response.ok) return response;
    const { status } = response;
    const text = await this.text(response).catch((error: unknown) => {
      this.outer.throwIfAborted();
      return error instanceof RemoteError ? "" : String(error);
    });
    throw this.error(statusMessage(status, text), { status, retryAfterMs: parseRetryAfter(response.headers.get("retry-after")) });
  }

  /** Yields the text of the body as it arrives, and undefined at its end. */
  async *textChunks(response: FetchResponse, limitMs = () => this.settings.silenceMs): AsyncGenerator<string | undefined, void, undefined> {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const decode = (bytes?: Uint8Array) => {
      try {
        return decoder.decode(bytes, { stream: bytes !== undefined });
      } catch (cause) {
        throw this.error("the answer is not UTF-8", { cause });
      }
    };
    const reader = response.body?.getReader();
    try {
      for (;;) {
        const next = await this.withTimeout(limitMs(), "the next part of the answer", "silenceMs", async () => reader?.read());
        if (!next || next.done) break;
        yield decode(next.value);
      }
      decode();
      yield undefined;
    } finally {
      // This is needed if the function given as the option `fetch` ignores abort signals.
      void reader?.cancel().catch(() => {});
    }
  }

  async text(response: FetchResponse): Promise<string> {
    let text = "";
    for await (const piece of this.textChunks(response)) {
      text += piece ?? "";
      if (text.length > MAX_ANSWER_CHARACTERS) throw this.error(`the answer has more than ${MAX_ANSWER_CHARACTERS} characters`);
    }
    return text;
  }

  parseJson(text: string): unknown {
    return readJson(text, (got, cause) => this.error(`the answer is not JSON: ${got}`, { cause }));
  }

  /** Parses the data of an event. @throws {RemoteError} data that is not JSON, or that reports an error */
  parseEvent(data: string): unknown {
    const event = this.parseJson(data);
    if (!isObject(event) || (!("error" in event && event.error) && event.object !== "error")) return event;
    const { code } = isObject(event.error) ? event.error : event;
    throw this.error(`the server reports: ${serverMessage(data)}`, typeof code === "number" ? { status: code } : {});
  }

  end(): void {
    this.unfollow();
    this.controller.abort();
  }

  /** Creates an error of this request. It is retryable if the status indicates a temporary failure. The message never shows the API key. */
  error(what: string, options: ErrorOptions & { status?: number; retryable?: boolean; retryAfterMs?: number } = {}): RemoteError {
    const { apiKey } = this.settings;
    const { status = 0 } = options;
    const message = `remote: ${this.body ? "POST" : "GET"} ${printableUrl(this.url)}: ${what}`;
    return new RemoteError(apiKey ? message.replaceAll(apiKey, "***") : message, {
      retryable: [408, 409, 429].includes(status) || (status >= 500 && status !== 501),
      ...options,
    });
  }

  /** Returns the result of `body`. @throws {RemoteError} `body` fails or takes longer than `limitMs` */
  private async withTimeout<T>(limitMs: number, awaited: string, option: string, body: () => Promise<T>): Promise<T> {
    this.outer.throwIfAborted();
    let late = false;
    let giveUp = () => {};
    const aborted = new Promise<never>((_, reject) => {
      giveUp = () => reject(this.controller.signal.reason);
      this.controller.signal.addEventListener("abort", giveUp, { once: true });
    });
    const timer = setTimeout(() => {
      late = true;
      this.controller.abort();
    }, limitMs);
    try {
      return await Promise.race([body(), aborted]);
    } catch (cause) {
      this.outer.throwIfAborted();
      if (late) throw this.error(`waited ${limitMs} ms for ${awaited} (${option} sets this limit)`, { retryable: true });
      const reasons = [cause, (cause as Error | null | undefined)?.cause]
        .filter((error) => error instanceof Error)
        .map((error) => error.message);
      throw this.error(
        `failed while waiting for ${awaited}: ${reasons.join(": ") || printed(cause)} ` +
          "(is the server running at this address? In a browser it must also allow this page by CORS)",
        { cause, retryable: true },
      );
    } finally {
      clearTimeout(timer);
      this.controller.signal.removeEventListener("abort", giveUp);
    }
  }
}

/** Returns an address for messages, without the parts that may be secret: user name, password and query. */
export function printableUrl({ origin, pathname }: URL): string {
  return origin + pathname;
}

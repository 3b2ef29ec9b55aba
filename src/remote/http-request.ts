import { followSignals } from "../base/abort.js";
import { RemoteError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { FetchResponse } from "./connect-options.js";
import type { ConnectionSettings } from "./connection.js";
import { parseRetryAfter } from "./retry.js";
import { isRecord, readJson, serverMessage, statusMessage } from "./server-message.js";

/** Characters of one event, or of a whole JSON answer. The ids of a prompt of a million tokens are 7 million. */
export const MAX_ANSWER_CHARACTERS = 1 << 24;

/** One request and what is known of it for messages. */
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

  /** @param patience which limit holds until the answer begins */
  async send(accept: string, patience: "timeoutMs" | "silenceMs" = "timeoutMs"): Promise<FetchResponse> {
    const { apiKey, headers, fetch } = this.settings;
    const response = await this.withTimeout(this.settings[patience], "an answer", patience, () =>
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
      throw this.error("expected a Response from the option fetch, got something else");
    }
    if (response.ok) return response;
    const { status } = response;
    const text = await this.text(response).catch((error: unknown) => {
      this.outer.throwIfAborted();
      return error instanceof RemoteError ? "" : String(error);
    });
    throw this.error(statusMessage(status, text), { status, retryAfterMs: parseRetryAfter(response.headers.get("retry-after")) });
  }

  /** Text of the body as it arrives, then undefined for its end. */
  async *textChunks(response: FetchResponse, limitMs = () => this.settings.silenceMs): AsyncGenerator<string | undefined, void, undefined> {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const decode = (bytes?: Uint8Array) => {
      try {
        return decoder.decode(bytes, { stream: bytes !== undefined });
      } catch (cause) {
        throw this.error("expected UTF-8, got other bytes", { cause });
      }
    };
    const reader = response.body?.getReader();
    try {
      for (;;) {
        const next = await this.withTimeout(limitMs(), "the next piece of the answer", "silenceMs", async () => reader?.read());
        if (!next || next.done) break;
        yield decode(next.value);
      }
      decode();
      yield undefined;
    } finally {
      // Also where the option fetch knows no signals.
      void reader?.cancel().catch(() => {});
    }
  }

  async text(response: FetchResponse): Promise<string> {
    let text = "";
    for await (const piece of this.textChunks(response)) {
      text += piece ?? "";
      if (text.length > MAX_ANSWER_CHARACTERS)
        throw this.error(`expected an answer of at most ${MAX_ANSWER_CHARACTERS} characters, got a longer one`);
    }
    return text;
  }

  parseJson(text: string): unknown {
    return readJson(text, (got, cause) => this.error(`expected JSON, got ${got}`, { cause }));
  }

  /** An event's object. */
  parseEvent(data: string): unknown {
    const event = this.parseJson(data);
    if (!isRecord(event) || (!("error" in event && event.error) && event.object !== "error")) return event;
    const { code } = isRecord(event.error) ? event.error : event;
    throw this.error(`the server reports: ${serverMessage(data)}`, typeof code === "number" ? { status: code } : {});
  }

  end(): void {
    this.unfollow();
    this.controller.abort();
  }

  /** An error of this request. What may pass is retryable; the key stays out of every message. */
  error(what: string, options: ErrorOptions & { status?: number; retryable?: boolean; retryAfterMs?: number } = {}): RemoteError {
    const { apiKey } = this.settings;
    const { status = 0 } = options;
    const message = `remote: ${this.body ? "POST" : "GET"} ${printableUrl(this.url)}: ${what}`;
    return new RemoteError(apiKey ? message.replaceAll(apiKey, "***") : message, {
      retryable: [408, 409, 429].includes(status) || (status >= 500 && status !== 501),
      ...options,
    });
  }

  /** What `body` gives, unless it takes longer than `limitMs`. */
  private async withTimeout<T>(limitMs: number, expected: string, option: string, body: () => Promise<T>): Promise<T> {
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
      if (late) throw this.error(`expected ${expected} within ${limitMs} ms, got none (${option} sets the limit)`, { retryable: true });
      const reasons = [cause, (cause as Error | null | undefined)?.cause]
        .filter((error) => error instanceof Error)
        .map((error) => error.message);
      throw this.error(
        `expected ${expected}, got ${reasons.join(": ") || printed(cause)} (is the server running, and is this its address? a page also needs its CORS headers)`,
        { cause, retryable: true },
      );
    } finally {
      clearTimeout(timer);
      this.controller.signal.removeEventListener("abort", giveUp);
    }
  }
}

/** An address as messages show it: without what may be secret. */
export function printableUrl({ origin, pathname }: URL): string {
  return origin + pathname;
}

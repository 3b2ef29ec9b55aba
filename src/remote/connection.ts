import { createParser } from "eventsource-parser";
import { isObjectJson } from "../text/messages.js";
import type { Fetch } from "./connect-options.js";
import { HttpRequest, MAX_ANSWER_CHARACTERS } from "./http-request.js";
import { type RetryPolicy, withRetries } from "./retry.js";
import { isRecord, serverMessage } from "./server-message.js";

/** How long the end of a complete answer is waited for: for its count of tokens, and so that the connection can be used again. */
const END_OF_STREAM_MS = 1000;

export interface ConnectionSettings extends RetryPolicy {
  readonly apiKey: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Until an answer begins. */
  readonly timeoutMs: number;
  /** Between two pieces of an answer. */
  readonly silenceMs: number;
  readonly fetch: Fetch;
}

/** Requests to one server: JSON in, JSON or a stream of JSON events out. */
export class Connection {
  constructor(
    /** With a slash at its end. */
    private readonly base: URL,
    readonly settings: ConnectionSettings,
  ) {}

  /** The answer to one request that has no stream, tried again as settings say. Without a body it is a GET. */
  async requestJson(path: string, body: object | undefined, signal: AbortSignal): Promise<unknown> {
    const attempt = async function* (this: Connection) {
      yield await this.json(path, body, signal);
    };
    for await (const answer of withRetries(attempt.bind(this), this.settings, signal)) return answer;
  }

  private async json(path: string, body: object | undefined, signal: AbortSignal): Promise<unknown> {
    const request = new HttpRequest(this.settings, this.url(path), body, signal);
    try {
      // An answer that is no stream begins when all of it has been computed.
      const response = await request.send("application/json", body ? "silenceMs" : "timeoutMs");
      return request.parseJson(await request.text(response));
    } finally {
      request.end();
    }
  }

  /**
   * The events of a streamed answer, up to `[DONE]` or its end. Leaving the loop closes the connection.
   *
   * @param complete whether nothing is missing any more: from then on, and from `[DONE]` on, the end is awaited for a second, and how it comes makes no difference
   * @throws {RemoteError} no connection, a refusal, silence, an event that reports an error, or bytes that are no stream of JSON events
   */
  async *streamEvents(path: string, body: object, signal: AbortSignal, complete: () => boolean): AsyncGenerator<unknown, void, undefined> {
    const request = new HttpRequest(this.settings, this.url(path), body, signal);
    let done = false;
    const over = () => done || complete();
    try {
      const response = await request.send("text/event-stream");
      const type = response.headers.get("content-type") ?? "nothing";
      if (!type.includes("text/event-stream")) {
        const text = await request.text(response);
        // A server that does not stream says all of it at once.
        if (isCompleteAnswer(text)) return yield request.parseEvent(text);
        throw request.error(`expected a stream of events (text/event-stream), got ${type}: ${serverMessage(text)}`);
      }
      const events: { data: string; isNamed: boolean }[] = [];
      const parser = createParser({
        maxBufferSize: MAX_ANSWER_CHARACTERS,
        onEvent: ({ event, data }) => {
          if (event === "error") throw request.error(`the server reports: ${serverMessage(data)}`);
          // Empty data keeps the connection alive.
          if (data.trim() !== "") events.push({ data, isNamed: event !== undefined && event !== "message" });
        },
        onError: ({ type, line }) => {
          if (type === "max-buffer-size-exceeded")
            throw request.error(`expected events of at most ${MAX_ANSWER_CHARACTERS} characters, got a longer one`);
          // Fields of a server's own are skipped; a line that is no field is no event stream.
          if (type === "unknown-field" && !/^[\w-]+:/.test(line ?? ""))
            throw request.error(`expected lines of an event stream, got ${JSON.stringify(line?.slice(0, 80))}`);
        },
      });
      for await (const text of request.textChunks(response, () => (over() ? END_OF_STREAM_MS : this.settings.silenceMs))) {
        if (done) continue;
        // A stream may end without the empty line that ends its last event.
        parser.feed(text ?? "\n\n");
        for (const { data, isNamed } of events.splice(0)) {
          done ||= data.trim() === "[DONE]";
          // Events with a name of the server's own count if they hold an object.
          if (!done && !(isNamed && !isObjectJson(data))) yield request.parseEvent(data);
        }
      }
    } catch (error) {
      if (signal.aborted || !over()) throw error;
    } finally {
      request.end();
    }
  }

  url(path: string): URL {
    const url = new URL(this.base);
    url.pathname += path;
    return url;
  }
}

function isCompleteAnswer(text: string): boolean {
  try {
    const answer: unknown = JSON.parse(text);
    return isRecord(answer) && Array.isArray(answer.choices) && answer.choices.length > 0;
  } catch {
    return false;
  }
}

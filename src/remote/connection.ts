import { createParser } from "eventsource-parser";
import { isObject } from "../base/json.js";
import { isObjectJson } from "../text/messages.js";
import type { Fetch } from "./connect-options.js";
import { HttpRequest, MAX_ANSWER_CHARACTERS } from "./http-request.js";
import { retryStream, type StreamRetryOptions } from "./retry-stream.js";
import { serverMessage } from "./server-message.js";

/**
 * Maximum time in milliseconds to wait for the end of a stream after a complete answer. Waiting yields the token counts and makes the
 * connection reusable.
 */
const END_OF_STREAM_MS = 1000;

export interface ConnectionSettings extends StreamRetryOptions {
  readonly apiKey: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Maximum time in milliseconds until a response starts. */
  readonly timeoutMs: number;
  /** Maximum time in milliseconds between two chunks of a response. */
  readonly silenceMs: number;
  readonly fetch: Fetch;
}

/** Sends requests to one server. Request bodies are JSON; responses are JSON or a stream of JSON events. */
export class Connection {
  constructor(
    /** Base address of the API. It ends in a slash. */
    private readonly base: URL,
    readonly settings: ConnectionSettings,
  ) {}

  /** Sends a request without streaming, with retries, and returns the JSON of the response. Without a body, it is a GET request. */
  async requestJson(path: string, body: object | undefined, signal: AbortSignal): Promise<unknown> {
    const attempt = async function* (this: Connection) {
      yield await this.json(path, body, signal);
    };
    for await (const answer of retryStream(attempt.bind(this), this.settings, signal)) return answer;
  }

  private async json(path: string, body: object | undefined, signal: AbortSignal): Promise<unknown> {
    const request = new HttpRequest(this.settings, this.url(path), body, signal);
    try {
      // A response without streaming starts only when the whole answer is computed, so the longer limit applies.
      const response = await request.send("application/json", body ? "silenceMs" : "timeoutMs");
      return request.parseJson(await request.text(response));
    } finally {
      request.end();
    }
  }

  /**
   * Yields the events of a streamed response, up to `[DONE]` or its end. Leaving the loop closes the connection.
   *
   * @param complete returns whether the answer is complete. After that, or after `[DONE]`, the stream has one second to end, and errors are
   *   ignored
   * @throws {RemoteError} no connection, an error status, a silent server, an event that reports an error, or a body that is not a stream
   *   of JSON events
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
        // Some servers do not stream and send the whole answer at once.
        if (isCompleteAnswer(text)) return yield request.parseEvent(text);
        throw request.error(`the answer is not a stream (expected text/event-stream, got ${type}): ${serverMessage(text)}`);
      }
      const events: { data: string; isNamed: boolean }[] = [];
      const parser = createParser({
        maxBufferSize: MAX_ANSWER_CHARACTERS,
        onEvent: ({ event, data }) => {
          if (event === "error") throw request.error(`the server reports: ${serverMessage(data)}`);
          // Servers send empty data to keep the connection alive.
          if (data.trim() !== "") events.push({ data, isNamed: event !== undefined && event !== "message" });
        },
        onError: ({ type, line }) => {
          if (type === "max-buffer-size-exceeded")
            throw request.error(`an event of the stream has more than ${MAX_ANSWER_CHARACTERS} characters`);
          // Unknown fields are skipped. A line that is not a field means that this is not an event stream.
          if (type === "unknown-field" && !/^[\w-]+:/.test(line ?? ""))
            throw request.error(`the answer is not an event stream: unexpected line ${JSON.stringify(line?.slice(0, 80))}`);
        },
      });
      for await (const text of request.textChunks(response, () => (over() ? END_OF_STREAM_MS : this.settings.silenceMs))) {
        if (done) continue;
        // A stream may end without the empty line that ends its last event.
        parser.feed(text ?? "\n\n");
        for (const { data, isNamed } of events.splice(0)) {
          done ||= data.trim() === "[DONE]";
          // Events with other names are used if they contain a JSON object.
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
    return isObject(answer) && Array.isArray(answer.choices) && answer.choices.length > 0;
  } catch {
    return false;
  }
}

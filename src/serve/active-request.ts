import type { Generation } from "../generate/generate.js";
import { HttpError } from "./http-error.js";

/** Why the work on a request ends when its client has gone. */
export class ClientDisconnected extends HttpError {
  /** @param reason of the abort, as the client's own signal gives it */
  constructor(readonly reason: unknown = new DOMException("The client stopped reading its answer.", "AbortError")) {
    super(408, "gone", "serve: the client cancelled its request");
  }
}

/** The life of one request: it ends with its last token, its client, its time or the server, whichever comes first. */
export class ActiveRequest {
  readonly startedAt = performance.now();
  private readonly controller = new AbortController();
  private readonly timer: ReturnType<typeof setTimeout>;
  private readonly endActions: (() => void)[] = [];
  private ended = false;

  /** @param client a signal that is aborted already ends the work at once */
  constructor(client: AbortSignal, timeoutMs: number) {
    const timeout = () =>
      this.abort(
        new HttpError(504, "timeout", `serve: expected an answer within ${timeoutMs} ms, got none (fewer tokens, or try again later)`),
      );
    this.timer = setTimeout(timeout, timeoutMs);
    const gone = () => this.abort(new ClientDisconnected(client.reason));
    client.addEventListener("abort", gone);
    this.onEnd(() => client.removeEventListener("abort", gone));
    if (client.aborted) gone();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Stops it at the next pass. */
  abort(reason: Error): void {
    this.controller.abort(reason);
    this.end();
  }

  /** Does this when it ends; at once if it has ended. */
  onEnd(action: () => void): void {
    if (this.ended) action();
    else this.endActions.push(action);
  }

  /** Frees a generation's states when the work ends, begun or not. */
  freeAtEnd(generation: Generation): void {
    this.onEnd(() => void generation.return().catch(() => {}));
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    for (const action of this.endActions) action();
  }
}

import type { Generation } from "../generate/generate.js";
import { HttpError } from "./http-error.js";

/** The reason for aborting a request whose client has disconnected. */
export class ClientDisconnected extends HttpError {
  /** @param reason the reason of the client's own abort signal */
  constructor(readonly reason: unknown = new DOMException("The client stopped reading its answer.", "AbortError")) {
    super(408, "gone", "the client disconnected before its answer was complete");
  }
}

/** The life cycle of one request. It ends with the last token, when its client disconnects, at its time limit, or when the server stops. */
export class ActiveRequest {
  readonly startedAt = performance.now();
  private readonly controller = new AbortController();
  private readonly timer: ReturnType<typeof setTimeout>;
  private readonly endActions: (() => void)[] = [];
  private ended = false;

  /** @param client the client's abort signal. If it is already aborted, the request ends at once */
  constructor(client: AbortSignal, timeoutMs: number) {
    const timeout = () =>
      this.abort(new HttpError(504, "timeout", `the answer was not complete within ${timeoutMs} ms; ask for fewer tokens, or retry later`));
    this.timer = setTimeout(timeout, timeoutMs);
    const disconnect = () => this.abort(new ClientDisconnected(client.reason));
    client.addEventListener("abort", disconnect);
    this.onEnd(() => client.removeEventListener("abort", disconnect));
    if (client.aborted) disconnect();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Stops the request before the next forward pass. */
  abort(reason: Error): void {
    this.controller.abort(reason);
    this.end();
  }

  /** Runs `action` when the request ends, or at once if it has ended. */
  onEnd(action: () => void): void {
    if (this.ended) action();
    else this.endActions.push(action);
  }

  /** Frees the states of a generation when the request ends, even if the generation never started. */
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

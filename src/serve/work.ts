import type { Generation } from "../generate/generate.js";
import { Refusal } from "./refusal.js";

/** Why the work on a request ends when its client has gone. */
export class Gone extends Refusal {
  /** @param reason of the abort, as the client's own signal gives it */
  constructor(readonly reason: unknown = new DOMException("The client stopped reading its answer.", "AbortError")) {
    super(408, "gone", "serve: the client cancelled its request");
  }
}

/** The life of one request: it ends with its last token, its client, its time or the server, whichever comes first. */
export class Work {
  readonly began = performance.now();
  private readonly controller = new AbortController();
  private readonly timer: ReturnType<typeof setTimeout>;
  private readonly undo: (() => void)[] = [];
  private over = false;

  /** @param client a signal that is aborted already ends the work at once */
  constructor(client: AbortSignal, timeoutMs: number) {
    const timeout = () =>
      this.abort(
        new Refusal(504, "timeout", `serve: expected an answer within ${timeoutMs} ms, got none (fewer tokens, or try again later)`),
      );
    this.timer = setTimeout(timeout, timeoutMs);
    const gone = () => this.abort(new Gone(client.reason));
    client.addEventListener("abort", gone);
    this.atEnd(() => client.removeEventListener("abort", gone));
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
  atEnd(action: () => void): void {
    if (this.over) action();
    else this.undo.push(action);
  }

  /** Frees a generation's states when the work ends, begun or not. */
  owns(generation: Generation): void {
    this.atEnd(() => void generation.return().catch(() => {}));
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    for (const action of this.undo) action();
  }
}

import { ActiveRequest, ClientDisconnected } from "./active-request.js";
import { shuttingDown } from "./http-error.js";
import type { Metrics } from "./metrics.js";

/** Keeps track of the requests that run or wait, and of whether the server still accepts new ones. */
export class RequestRegistry {
  private readonly requests = new Set<ActiveRequest>();
  /** Functions to call when no request runs or waits any more. */
  private readonly idleActions: (() => void)[] = [];
  private isDraining = false;

  constructor(
    private readonly timeoutMs: number,
    private readonly metrics: Metrics,
  ) {}

  get size(): number {
    return this.requests.size;
  }

  /** Checks that the server accepts requests. @throws {HttpError} the server is shutting down */
  expectAccepting(): void {
    if (this.isDraining) throw shuttingDown();
  }

  /** Starts a request and counts it until it ends. If its client has already disconnected, it ends at once. */
  register(client: AbortSignal): ActiveRequest {
    const request = new ActiveRequest(client, this.timeoutMs);
    this.requests.add(request);
    request.onEnd(() => {
      this.requests.delete(request);
      if (request.signal.reason instanceof ClientDisconnected) this.metrics.cancelled++;
      if (this.requests.size === 0) for (const resolve of this.idleActions.splice(0)) resolve();
    });
    return request;
  }

  /** Refuses new requests, waits up to `graceMs` for running requests to end, and then aborts them. */
  async drain(graceMs: number): Promise<void> {
    this.isDraining = true;
    if (this.requests.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const request of [...this.requests]) request.abort(shuttingDown());
      }, graceMs);
      this.idleActions.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

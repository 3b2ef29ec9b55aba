// Calls of the worker. If it cannot be started or ends, the calls that wait are rejected, and the next call starts it again.

import type { Reply, Request, Results } from "./puzzle-worker.ts";

interface Waiting {
  readonly resolve: (value: Results[keyof Results]) => void;
  readonly reject: (error: Error) => void;
}

export class PuzzleClient {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  /** Starts the worker early, so that the first call need not wait for it. */
  constructor() {
    this.worker = this.start();
  }

  private start(): Worker {
    const worker = new Worker(new URL("./puzzle-worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
      const call = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ("error" in data) call?.reject(new Error(data.error));
      else call?.resolve(data.value);
    });
    worker.addEventListener("error", (event) => {
      worker.terminate();
      this.worker = undefined;
      const reason = event.message || "Its script could not be loaded: check the connection, and try again.";
      const error = new Error(`The puzzles' worker has ended. ${reason}`);
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    });
    return worker;
  }

  call<R extends Request>(request: R): Promise<Results[R["kind"]]> {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.worker ??= this.start();
      this.worker.postMessage({ id, request });
    });
  }
}

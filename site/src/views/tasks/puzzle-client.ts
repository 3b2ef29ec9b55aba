// Calls of the worker.

import type { Reply, Request, Results } from "./puzzle-worker.ts";

interface Waiting {
  readonly resolve: (value: Results[keyof Results]) => void;
  readonly reject: (error: Error) => void;
}

export class PuzzleClient {
  private readonly worker = new Worker(new URL("./puzzle-worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  constructor() {
    this.worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
      const call = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ("error" in data) call?.reject(new Error(data.error));
      else call?.resolve(data.value);
    });
    this.worker.addEventListener("error", (event) => {
      const error = new Error(event.message || "the worker could not be started");
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    });
  }

  call<R extends Request>(request: R): Promise<Results[R["kind"]]> {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.worker.postMessage({ id, request });
    });
  }
}

import type { Caller } from "./caller.js";

/** The state of one sequence in a worker, for `WorkerModel.forward`. */
export class WorkerCache {
  private tokens = 0;

  /** @param handle number of the state in the worker @internal */
  constructor(
    private readonly caller: Caller,
    /** @internal */
    readonly handle: number,
  ) {}

  /** Number of tokens that the state contains. */
  get length(): number {
    return this.tokens;
  }

  /** @internal */
  set computed(length: number) {
    this.tokens = length;
  }

  /** Copies the state. The copy and the original can be continued independently. */
  copy(): WorkerCache {
    const copy = new WorkerCache(this.caller, this.caller.newHandle());
    this.caller.send("copyCache", { handle: copy.handle, from: this.handle });
    copy.tokens = this.tokens;
    return copy;
  }

  /** Frees the state. */
  dispose(): void {
    this.caller.send("free", { handle: this.handle });
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

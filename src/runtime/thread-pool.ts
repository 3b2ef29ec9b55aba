import { startThread, type Thread } from "#threads";
import { source } from "../../build/worker.js";
import { LightningError } from "../base/errors.js";
import type { Heap } from "./heap.js";
import { DISPATCH_BYTES, DispatchWord, KernelDispatch, MAX_PIECES } from "./kernel-dispatch.js";
import type { ThreadData } from "./worker.js";

/** Pieces per thread: the last ones even out who was slower. */
const PIECES_PER_THREAD = 4;

/** Pieces of more parts than this are whole multiples of it: kernels work through their range in blocks. */
const PIECE_SIZE_MULTIPLE = 8;

/** Looks at the result before the calling thread sleeps. */
const CALLER_SPIN_ITERATIONS = 2_000;

/**
 * Threads that share the memory and the module of one runtime. They start with the first call that is worth it, in the background:
 * until they are up, and for small calls, the calling thread computes alone. One that does not come up is done without.
 */
export class ThreadPool {
  /** Without a finished piece for so long (and for ten times what its own took the calling thread), a thread counts as dead. */
  static patienceMs = 30_000;

  /** Address of the job block. */
  private readonly at: number;
  private readonly dispatch: KernelDispatch;
  private readonly kernelIndex: ReadonlyMap<string, number>;
  private readonly workers: Thread[] = [];
  private generation = 0;
  private state: "new" | "running" | "disposed" = "new";
  /** Threads that did not come up. */
  private readonly missing = new Set<number>();
  private fault: string | undefined;

  /** @param maxThreads threads, the calling one included */
  constructor(
    readonly maxThreads: number,
    private readonly module: WebAssembly.Module,
    exports: object,
    private readonly heap: Heap,
    private readonly onWarning: (message: string) => void,
  ) {
    this.at = heap.allocate(DISPATCH_BYTES, "threads");
    new Uint8Array(heap.memory.buffer, this.at, DISPATCH_BYTES).fill(0);
    this.dispatch = new KernelDispatch(heap.memory, this.at, exports, 0);
    const names = Object.entries(exports).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));
    this.kernelIndex = new Map(names.map((name, i) => [name, i]));
  }

  /**
   * Computes `kernel(...args)`, whose last arguments are its range [0, count), in pieces, on every thread that is free.
   *
   * @param workspaceBytes per thread; the argument before the range is the address of the first thread's
   * @throws {LightningError} a thread that has died, or a kernel that failed
   */
  run(kernel: string, args: readonly number[], workspaceBytes: number): void {
    if (this.state === "new") this.start();
    this.check();
    const { dispatch } = this;
    const { words } = dispatch;
    const count = args.at(-1)!;
    let size = Math.ceil(count / Math.min(count, this.threads * PIECES_PER_THREAD, MAX_PIECES));
    if (size > PIECE_SIZE_MULTIPLE) size = Math.ceil(size / PIECE_SIZE_MULTIPLE) * PIECE_SIZE_MULTIPLE;
    const pieces = Math.ceil(count / size);
    words[DispatchWord.kernel] = this.kernelIndex.get(kernel)!;
    words[DispatchWord.pieces] = pieces;
    words[DispatchWord.size] = size;
    words[DispatchWord.count] = count;
    words[DispatchWord.arguments] = args.length - 2;
    words[DispatchWord.workspaceBytes] = workspaceBytes;
    dispatch.arguments.set(args);
    words[DispatchWord.failed] = 0;
    Atomics.store(words, DispatchWord.done, 0);
    this.publish(pieces);
    const begin = performance.now();
    dispatch.runPieces();
    this.wait(kernel, pieces, ThreadPool.patienceMs + 10 * (performance.now() - begin));
    if (Atomics.load(words, DispatchWord.failed)) throw new LightningError(`${kernel}: a kernel failed on one of ${this.threads} threads`);
  }

  /** Those that compute, or will when they are up; the calling thread included. */
  get threads(): number {
    return this.maxThreads - this.missing.size;
  }

  /** Starts the threads if that has not been done, and says whether there are some that are not up yet. */
  isStarting(): boolean {
    if (this.state === "new") this.start();
    this.check();
    for (let thread = 1; thread < this.maxThreads; thread++) if (!this.missing.has(thread) && !this.isUp(thread)) return true;
    return false;
  }

  /** Ends the threads. @returns what settles when none uses the memory any more, if that can be known */
  dispose(): Promise<unknown> | undefined {
    const { state, workers } = this;
    this.state = "disposed";
    if (state !== "running") return Promise.resolve();
    Atomics.store(this.dispatch.words, DispatchWord.quit, 1);
    this.publish(0);
    const ends = workers.map((worker) => worker.stop());
    return ends.includes(undefined) ? undefined : Promise.all(ends);
  }

  private publish(pieces: number): void {
    const { words } = this.dispatch;
    this.generation = (this.generation + 1) & 0x1ffffff;
    Atomics.store(words, DispatchWord.claim, this.generation * (MAX_PIECES + 1) + pieces);
    if (Atomics.load(words, DispatchWord.sleepers) > 0) Atomics.notify(words, DispatchWord.claim);
  }

  private start(): void {
    this.state = "running";
    for (let thread = 1; thread < this.maxThreads; thread++) {
      const data: ThreadData = { module: this.module, memory: this.heap.memory, at: this.at, thread };
      try {
        this.workers.push(startThread(source, data, (reason) => this.ended(thread, reason)));
      } catch (cause) {
        this.ended(thread, cause instanceof Error ? cause.message : String(cause));
      }
    }
  }

  private isUp(thread: number): boolean {
    return Atomics.load(this.dispatch.words, DispatchWord.up + thread) === 1;
  }

  /** A thread that never came up is done without; one that dies at work may have left a piece half-written. */
  private ended(thread: number, reason: string): void {
    if (this.state !== "running") return;
    if (this.isUp(thread)) {
      // The first reason is the cause, later ones its consequences.
      this.fault ??= reason;
      return;
    }
    const first = this.missing.size === 0;
    this.missing.add(thread);
    if (first) this.onWarning(`threads: ${this.maxThreads} were asked for and not all could be started, computing on fewer (${reason})`);
  }

  private check(): void {
    if (this.fault) throw new LightningError(`threads: a thread has ended (${this.fault}); load the model again, or with threads: 1`);
  }

  /** Waits for the pieces that other threads have taken. */
  private wait(kernel: string, pieces: number, patienceMs: number): void {
    const { words } = this.dispatch;
    let [looks, waitedMs, last] = [0, 0, 0];
    for (let done = Atomics.load(words, DispatchWord.done); done < pieces; done = Atomics.load(words, DispatchWord.done)) {
      if (done !== last) [last, waitedMs] = [done, 0];
      if (++looks < CALLER_SPIN_ITERATIONS) continue;
      waitedMs += sleep(words, done);
      if (waitedMs > patienceMs) {
        this.fault ??= `no answer for ${Math.round(patienceMs / 100) / 10} s during ${kernel}`;
        this.check();
      }
    }
  }
}

/** Sleeps until `done` changes, a millisecond at most. A page's own thread may not sleep: it looks on. @returns milliseconds, at most 1 */
function sleep(words: Int32Array, done: number): number {
  const begin = performance.now();
  try {
    Atomics.wait(words, DispatchWord.done, done, 1);
  } catch {
    for (let i = 0; i < CALLER_SPIN_ITERATIONS && Atomics.load(words, DispatchWord.done) === done; i++);
  }
  return Math.min(performance.now() - begin, 1);
}

import { startThread, type Thread } from "#threads";
import { source } from "../../build/worker.js";
import { LightningError } from "../base/errors.js";
import type { Heap } from "./heap.js";
import { DISPATCH_BYTES, DispatchWord, KernelDispatch, MAX_PIECES } from "./kernel-dispatch.js";
import type { ThreadData } from "./worker.js";

/** Number of pieces per thread. With several pieces, differences in speed even out. */
const PIECES_PER_THREAD = 4;

/** Pieces longer than this length are rounded up to a multiple of it, because kernels process their range in blocks. */
const PIECE_LENGTH_MULTIPLE = 8;

/** Number of iterations for which the calling thread spins on `done` before it sleeps. */
const CALLER_SPIN_ITERATIONS = 2_000;

const DEFAULT_TIMEOUT_MS = 30_000;

export interface ThreadPoolOptions {
  /** Called once if not all threads could be started. */
  readonly onWarning: (message: string) => void;
  /**
   * Time in milliseconds after which a thread that has finished no piece of work counts as dead (30,000). Ten times the duration of the
   * caller's own pieces is added.
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * Threads that share the memory and the module of one runtime. They start in the background, with the first call that is large enough.
 * Until they are ready, the calling thread computes alone. A thread that fails to start is skipped.
 */
export class ThreadPool {
  /** Address of the dispatch block. */
  private readonly at: number;
  private readonly dispatch: KernelDispatch;
  private readonly kernelIndex: ReadonlyMap<string, number>;
  private readonly workers: Thread[] = [];
  private generation = 0;
  private state: "new" | "running" | "disposed" = "new";
  /** Indices of the threads that failed to start. */
  private readonly missing = new Set<number>();
  private fault: string | undefined;

  /** @param maxThreads number of threads, including the calling thread */
  constructor(
    readonly maxThreads: number,
    private readonly module: WebAssembly.Module,
    exports: object,
    private readonly heap: Heap,
    private readonly options: ThreadPoolOptions,
  ) {
    this.at = heap.allocate(DISPATCH_BYTES, "threads");
    new Uint8Array(heap.memory.buffer, this.at, DISPATCH_BYTES).fill(0);
    this.dispatch = new KernelDispatch(heap.memory, this.at, exports, 0);
    const names = Object.entries(exports).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));
    this.kernelIndex = new Map(names.map((name, i) => [name, i]));
  }

  /**
   * Computes `kernel(...args)` in pieces, on every free thread. The last two arguments are the kernel's range, which are 0 and its end.
   *
   * @param workspaceBytes bytes of workspace per thread, or 0 for none. With a workspace, the argument before the range is the address of
   *   the first thread's workspace
   * @throws {LightningError} a thread has died, or the kernel failed
   */
  run(kernel: string, args: readonly number[], workspaceBytes: number): void {
    if (this.state === "new") this.start();
    this.expectNoFault();
    const { dispatch } = this;
    const { words } = dispatch;
    const rangeLength = args.at(-1)!;
    let pieceLength = Math.ceil(rangeLength / Math.min(rangeLength, this.threads * PIECES_PER_THREAD, MAX_PIECES));
    if (pieceLength > PIECE_LENGTH_MULTIPLE) pieceLength = Math.ceil(pieceLength / PIECE_LENGTH_MULTIPLE) * PIECE_LENGTH_MULTIPLE;
    const pieces = Math.ceil(rangeLength / pieceLength);
    words[DispatchWord.kernel] = this.kernelIndex.get(kernel)!;
    words[DispatchWord.pieces] = pieces;
    words[DispatchWord.pieceLength] = pieceLength;
    words[DispatchWord.rangeLength] = rangeLength;
    words[DispatchWord.arguments] = args.length - 2;
    words[DispatchWord.workspaceBytes] = workspaceBytes;
    dispatch.arguments.set(args);
    words[DispatchWord.failed] = 0;
    Atomics.store(words, DispatchWord.done, 0);
    this.publish(pieces);
    const begin = performance.now();
    dispatch.runPieces();
    this.wait(kernel, pieces, (this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS) + 10 * (performance.now() - begin));
    if (Atomics.load(words, DispatchWord.failed)) throw new LightningError(`${kernel}: a kernel failed on one of ${this.threads} threads`);
  }

  /** Number of threads that compute, or that will compute once they are ready. It includes the calling thread. */
  get threads(): number {
    return this.maxThreads - this.missing.size;
  }

  /** Starts the threads if that has not been done. @returns whether any thread is not ready yet */
  isStarting(): boolean {
    if (this.state === "new") this.start();
    this.expectNoFault();
    for (let thread = 1; thread < this.maxThreads; thread++) if (!this.missing.has(thread) && !this.isReady(thread)) return true;
    return false;
  }

  /** Ends the threads. @returns a promise that settles when none uses the memory any more, or undefined if that cannot be observed */
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
        this.workers.push(startThread(source, data, (reason) => this.handleEnd(thread, reason)));
      } catch (cause) {
        this.handleEnd(thread, cause instanceof Error ? cause.message : String(cause));
      }
    }
  }

  private isReady(thread: number): boolean {
    return Atomics.load(this.dispatch.words, DispatchWord.ready + thread) === 1;
  }

  /**
   * Handles the end of a thread. A thread that was never ready is skipped. If a thread dies later, this is an error, because it may leave a
   * piece incomplete.
   */
  private handleEnd(thread: number, reason: string): void {
    if (this.state !== "running") return;
    if (this.isReady(thread)) {
      // The first reason is the cause. Later reasons are its consequences.
      this.fault ??= reason;
      return;
    }
    const first = this.missing.size === 0;
    this.missing.add(thread);
    if (first) {
      const message = `threads: expected ${this.maxThreads} threads, not all of them started (${reason}). Computing on fewer.`;
      this.options.onWarning(message);
    }
  }

  private expectNoFault(): void {
    if (this.fault) throw new LightningError(`threads: a thread has ended (${this.fault}). Load the model again, or with threads: 1.`);
  }

  /** Waits for the pieces that other threads have taken. */
  private wait(kernel: string, pieces: number, timeoutMs: number): void {
    const { words } = this.dispatch;
    let [spins, waitedMs, last] = [0, 0, 0];
    for (let done = Atomics.load(words, DispatchWord.done); done < pieces; done = Atomics.load(words, DispatchWord.done)) {
      if (done !== last) [last, waitedMs] = [done, 0];
      if (++spins < CALLER_SPIN_ITERATIONS) continue;
      waitedMs += sleep(words, done);
      if (waitedMs > timeoutMs) {
        this.fault ??= `no answer for ${Math.round(timeoutMs / 100) / 10} s during ${kernel}`;
        this.expectNoFault();
      }
    }
  }
}

/**
 * Sleeps until `done` changes, for at most a millisecond. The main thread of a web page may not sleep, so it spins. @returns the elapsed
 * milliseconds, at most 1
 */
function sleep(words: Int32Array, done: number): number {
  const begin = performance.now();
  try {
    Atomics.wait(words, DispatchWord.done, done, 1);
  } catch {
    for (let i = 0; i < CALLER_SPIN_ITERATIONS && Atomics.load(words, DispatchWord.done) === done; i++);
  }
  return Math.min(performance.now() - begin, 1);
}

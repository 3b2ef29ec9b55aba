import { startThread, type Thread } from "#threads";
import { source } from "../../build/worker.js";
import { LightningError } from "../base/errors.js";
import { JOB_BYTES, Job, MAX_PIECES, Word } from "./job.js";
import type { Heap } from "./memory.js";
import type { ThreadData } from "./worker.js";

/** Pieces per thread: the last ones even out who was slower. */
const PIECES_PER_THREAD = 4;

/** Pieces of more parts than this are whole multiples of it: kernels work through their range in blocks. */
const BLOCK = 8;

/** Looks at the result before the calling thread sleeps. */
const LOOKS = 2_000;

/**
 * Threads that share the memory and the module of one runtime. They start with the first call that is worth it, in the background:
 * until they are up, and for small calls, the calling thread computes alone. One that does not come up is done without.
 */
export class Pool {
  /** Without a finished piece for so long (and for ten times what its own took the calling thread), a thread counts as dead. */
  static patienceMs = 30_000;

  /** Address of the job block. */
  private readonly at: number;
  private readonly job: Job;
  private readonly kernelIndex: ReadonlyMap<string, number>;
  private readonly workers: Thread[] = [];
  private generation = 0;
  private state: "new" | "running" | "disposed" = "new";
  /** Threads that did not come up. */
  private readonly missing = new Set<number>();
  private fault: string | undefined;

  /** @param most threads, the calling one included */
  constructor(
    readonly most: number,
    private readonly module: WebAssembly.Module,
    exports: object,
    private readonly heap: Heap,
    private readonly onWarning: (message: string) => void,
  ) {
    this.at = heap.allocate(JOB_BYTES, "threads");
    new Uint8Array(heap.memory.buffer, this.at, JOB_BYTES).fill(0);
    this.job = new Job(heap.memory, this.at, exports, 0);
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
    const { job } = this;
    const { words } = job;
    const count = args.at(-1)!;
    let size = Math.ceil(count / Math.min(count, this.threads * PIECES_PER_THREAD, MAX_PIECES));
    if (size > BLOCK) size = Math.ceil(size / BLOCK) * BLOCK;
    const pieces = Math.ceil(count / size);
    words[Word.kernel] = this.kernelIndex.get(kernel)!;
    words[Word.pieces] = pieces;
    words[Word.size] = size;
    words[Word.count] = count;
    words[Word.arguments] = args.length - 2;
    words[Word.workspaceBytes] = workspaceBytes;
    job.arguments.set(args);
    words[Word.failed] = 0;
    Atomics.store(words, Word.done, 0);
    this.publish(pieces);
    const begin = performance.now();
    job.work();
    this.wait(kernel, pieces, Pool.patienceMs + 10 * (performance.now() - begin));
    if (Atomics.load(words, Word.failed)) throw new LightningError(`${kernel}: a kernel failed on one of ${this.threads} threads`);
  }

  /** Those that compute, or will when they are up; the calling thread included. */
  get threads(): number {
    return this.most - this.missing.size;
  }

  /** Starts the threads if that has not been done, and says whether there are some that are not up yet. */
  starting(): boolean {
    if (this.state === "new") this.start();
    this.check();
    for (let thread = 1; thread < this.most; thread++) if (!this.missing.has(thread) && !this.isUp(thread)) return true;
    return false;
  }

  /** Ends the threads. @returns what settles when none uses the memory any more, if that can be known */
  dispose(): Promise<unknown> | undefined {
    const { state, workers } = this;
    this.state = "disposed";
    if (state !== "running") return Promise.resolve();
    Atomics.store(this.job.words, Word.quit, 1);
    this.publish(0);
    const ends = workers.map((worker) => worker.stop());
    return ends.includes(undefined) ? undefined : Promise.all(ends);
  }

  private publish(pieces: number): void {
    const { words } = this.job;
    this.generation = (this.generation + 1) & 0x1ffffff;
    Atomics.store(words, Word.claim, this.generation * (MAX_PIECES + 1) + pieces);
    if (Atomics.load(words, Word.sleepers) > 0) Atomics.notify(words, Word.claim);
  }

  private start(): void {
    this.state = "running";
    for (let thread = 1; thread < this.most; thread++) {
      const data: ThreadData = { module: this.module, memory: this.heap.memory, at: this.at, thread };
      try {
        this.workers.push(startThread(source, data, (reason) => this.ended(thread, reason)));
      } catch (cause) {
        this.ended(thread, cause instanceof Error ? cause.message : String(cause));
      }
    }
  }

  private isUp(thread: number): boolean {
    return Atomics.load(this.job.words, Word.up + thread) === 1;
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
    if (first) this.onWarning(`threads: ${this.most} were asked for and not all could be started, computing on fewer (${reason})`);
  }

  private check(): void {
    if (this.fault) throw new LightningError(`threads: a thread has ended (${this.fault}); load the model again, or with threads: 1`);
  }

  /** Waits for the pieces that other threads have taken. */
  private wait(kernel: string, pieces: number, patienceMs: number): void {
    const { words } = this.job;
    let [looks, waitedMs, last] = [0, 0, 0];
    for (let done = Atomics.load(words, Word.done); done < pieces; done = Atomics.load(words, Word.done)) {
      if (done !== last) [last, waitedMs] = [done, 0];
      if (++looks < LOOKS) continue;
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
    Atomics.wait(words, Word.done, done, 1);
  } catch {
    for (let i = 0; i < LOOKS && Atomics.load(words, Word.done) === done; i++);
  }
  return Math.min(performance.now() - begin, 1);
}

import { DispatchWord, KernelDispatch } from "./kernel-dispatch.js";

/** What a thread is started with. */
export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the job block. */
  readonly at: number;
  /** 1 and up. */
  readonly thread: number;
}

/** Looks that a thread takes for new work before it sleeps: about half a millisecond, longer than any gap between the products of a token: waking it costs as much as a product. */
const WORKER_SPIN_ITERATIONS = 100_000;

/** The whole life of a thread: computes pieces of whatever is on offer, until told to quit. */
export function serve({ module, memory, at, thread }: ThreadData): void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const job = new KernelDispatch(memory, at, exports, thread);
  const { words } = job;
  Atomics.store(words, DispatchWord.up + thread, 1);
  while (!Atomics.load(words, DispatchWord.quit)) {
    const seen = job.runPieces();
    let looks = 0;
    while (looks < WORKER_SPIN_ITERATIONS && Atomics.load(words, DispatchWord.claim) === seen) looks++;
    if (looks < WORKER_SPIN_ITERATIONS) continue;
    Atomics.add(words, DispatchWord.sleepers, 1);
    Atomics.wait(words, DispatchWord.claim, seen);
    Atomics.sub(words, DispatchWord.sleepers, 1);
  }
}

import { DispatchWord, KernelDispatch } from "./kernel-dispatch.js";

/** The data that a thread starts with. */
export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the dispatch block. */
  readonly at: number;
  /** Index of the thread, at least 1. */
  readonly thread: number;
}

/**
 * Number of iterations for which a thread spins on `claim` before it sleeps. They take about half a millisecond, which is longer than the
 * gaps between the matmuls of a token. Waking a thread takes as long as a matmul.
 */
const WORKER_SPIN_ITERATIONS = 100_000;

/** Main loop of a thread. It computes pieces of every call until `quit` is set. */
export function serve({ module, memory, at, thread }: ThreadData): void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const dispatch = new KernelDispatch(memory, at, exports, thread);
  const { words } = dispatch;
  Atomics.store(words, DispatchWord.ready + thread, 1);
  while (!Atomics.load(words, DispatchWord.quit)) {
    const seen = dispatch.runPieces();
    let spins = 0;
    while (spins < WORKER_SPIN_ITERATIONS && Atomics.load(words, DispatchWord.claim) === seen) spins++;
    if (spins < WORKER_SPIN_ITERATIONS) continue;
    Atomics.add(words, DispatchWord.sleepers, 1);
    Atomics.wait(words, DispatchWord.claim, seen);
    Atomics.sub(words, DispatchWord.sleepers, 1);
  }
}

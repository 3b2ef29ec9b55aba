import { Job, Word } from "./job.js";

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
const LOOKS = 100_000;

/** The whole life of a thread: computes pieces of whatever is on offer, until told to quit. */
export function serve({ module, memory, at, thread }: ThreadData): void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const job = new Job(memory, at, exports, thread);
  const { words } = job;
  Atomics.store(words, Word.up + thread, 1);
  while (!Atomics.load(words, Word.quit)) {
    const seen = job.work();
    let looks = 0;
    while (looks < LOOKS && Atomics.load(words, Word.claim) === seen) looks++;
    if (looks < LOOKS) continue;
    Atomics.add(words, Word.sleepers, 1);
    Atomics.wait(words, Word.claim, seen);
    Atomics.sub(words, Word.sleepers, 1);
  }
}

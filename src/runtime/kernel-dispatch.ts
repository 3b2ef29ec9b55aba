// One kernel call at a time is on offer to every thread, described in a block of shared memory. It is cut into pieces; whoever
// comes first takes the next one. What a piece computes does not depend on who computes it, so the bits do not depend on the threads.

/** Int32 words of the block. Words that different threads write lie in different cache lines. */
export const DispatchWord = {
  /** `generation · 64 + pieces not yet taken`: one compare-and-exchange takes a piece of exactly the call that was read. */
  claim: 0,
  /** Threads that sleep until `claim` changes. */
  sleepers: 1,
  /** Set when the pool is disposed. */
  quit: 2,
  /** Pieces finished. */
  done: 16,
  /** Set when a piece failed. */
  failed: 17,
  kernel: 32,
  pieces: 33,
  /** Parts per piece, and parts in all. */
  size: 34,
  count: 35,
  arguments: 36,
  /** Bytes of workspace per thread, whose address is the last argument; 0 without. */
  workspaceBytes: 37,
  /** From here on a word per thread, set when it has come up. */
  up: 48,
} as const;

/** The most threads that a block has words for, the calling one included. */
export const MAX_THREADS = 64;

const ARGUMENTS_AT = 4 * (DispatchWord.up + MAX_THREADS);
const MAX_ARGUMENTS = 24;

/** Bytes of the block. */
export const DISPATCH_BYTES = ARGUMENTS_AT + 8 * MAX_ARGUMENTS;

/** The most pieces that `claim` can count. */
export const MAX_PIECES = 63;

type Kernel = (...args: number[]) => void;

/** The block as one thread sees it. */
export class KernelDispatch {
  readonly words: Int32Array;
  readonly arguments: Float64Array;
  /** The module's functions, in the same order on every thread. */
  private readonly kernels: readonly Kernel[];

  constructor(
    memory: WebAssembly.Memory,
    at: number,
    exports: object,
    /** 0 is the thread that offers the work. */
    private readonly thread: number,
  ) {
    this.words = new Int32Array(memory.buffer, at, ARGUMENTS_AT / 4);
    this.arguments = new Float64Array(memory.buffer, at + ARGUMENTS_AT, MAX_ARGUMENTS);
    this.kernels = Object.values(exports).filter((value) => typeof value === "function") as Kernel[];
  }

  /** Takes and computes pieces until none is left. @returns the `claim` in which none was left */
  runPieces(): number {
    const { words } = this;
    for (;;) {
      const claim = Atomics.load(words, DispatchWord.claim);
      const left = claim & MAX_PIECES;
      if (left === 0) return claim;
      // What is read here is of another call if the exchange fails, and thrown away.
      const [kernel, size, count] = [this.kernels[words[DispatchWord.kernel]!], words[DispatchWord.size]!, words[DispatchWord.count]!];
      const args: number[] = [...this.arguments.subarray(0, words[DispatchWord.arguments]!)];
      const [pieces, workspaceBytes] = [words[DispatchWord.pieces]!, words[DispatchWord.workspaceBytes]!];
      if (Atomics.compareExchange(words, DispatchWord.claim, claim, claim - 1) !== claim) continue;
      if (workspaceBytes) args[args.length - 1]! += this.thread * workspaceBytes;
      const begin = (pieces - left) * size;
      try {
        kernel!(...args, begin, Math.min(begin + size, count));
      } catch {
        Atomics.store(words, DispatchWord.failed, 1);
      }
      if (Atomics.add(words, DispatchWord.done, 1) + 1 === pieces) Atomics.notify(words, DispatchWord.done);
    }
  }
}

// Distributes kernel calls over threads. A block of shared memory describes one call at a time. The call is divided into pieces, and every
// free thread takes the next piece. The result of a piece does not depend on the thread that computes it, so the bits of a call do not
// depend on the number of threads.

/** Indices of the block's int32 words. Words that different threads write are in different cache lines. */
export const DispatchWord = {
  /**
   * `generation · 64 + number of pieces not yet taken`. With the generation, a compare-and-exchange cannot take a piece of another call.
   */
  claim: 0,
  /** Number of threads that sleep until `claim` changes. */
  sleepers: 1,
  /** Set when the pool is disposed. */
  quit: 2,
  /** Number of finished pieces. */
  done: 16,
  /** Set when a piece failed. */
  failed: 17,
  /** Index of the kernel among the module's functions. */
  kernel: 32,
  /** Number of pieces. */
  pieces: 33,
  /** Length of a piece, as a part of the kernel's range. */
  pieceLength: 34,
  /** Length of the kernel's range. */
  rangeLength: 35,
  /** Number of arguments before the range. */
  arguments: 36,
  /** Bytes of workspace per thread, or 0 if the kernel takes none. The address of the workspace is the last argument before the range. */
  workspaceBytes: 37,
  /** The first of one word per thread. A thread sets its word when it is ready. */
  ready: 48,
} as const;

/** Maximum number of threads, including the calling thread. The block has this many `ready` words. */
export const MAX_THREADS = 64;

const ARGUMENTS_AT = 4 * (DispatchWord.ready + MAX_THREADS);
/** Maximum number of arguments of a kernel, including its range. */
const MAX_ARGUMENTS = 24;

/** Size of the block, in bytes. */
export const DISPATCH_BYTES = ARGUMENTS_AT + 8 * MAX_ARGUMENTS;

/** Maximum number of pieces that `claim` can count. */
export const MAX_PIECES = 63;

type Kernel = (...args: number[]) => void;

/** One thread's access to the dispatch block. */
export class KernelDispatch {
  readonly words: Int32Array;
  readonly arguments: Float64Array;
  /** The module's functions, in the same order in every thread. */
  private readonly kernels: readonly Kernel[];

  constructor(
    memory: WebAssembly.Memory,
    at: number,
    exports: object,
    /** Index of this thread. 0 is the calling thread. */
    private readonly thread: number,
  ) {
    this.words = new Int32Array(memory.buffer, at, ARGUMENTS_AT / 4);
    this.arguments = new Float64Array(memory.buffer, at + ARGUMENTS_AT, MAX_ARGUMENTS);
    this.kernels = Object.values(exports).filter((value) => typeof value === "function") as Kernel[];
  }

  /** Takes and computes pieces until none is left. @returns the value of `claim` when no piece was left */
  runPieces(): number {
    const { words } = this;
    for (;;) {
      const claim = Atomics.load(words, DispatchWord.claim);
      const left = claim & MAX_PIECES;
      if (left === 0) return claim;
      // These values may belong to another call. In this case the exchange below fails, and they are discarded.
      const [kernel, pieceLength, rangeLength] = [
        this.kernels[words[DispatchWord.kernel]!],
        words[DispatchWord.pieceLength]!,
        words[DispatchWord.rangeLength]!,
      ];
      const args: number[] = [...this.arguments.subarray(0, words[DispatchWord.arguments]!)];
      const [pieces, workspaceBytes] = [words[DispatchWord.pieces]!, words[DispatchWord.workspaceBytes]!];
      if (Atomics.compareExchange(words, DispatchWord.claim, claim, claim - 1) !== claim) continue;
      if (workspaceBytes) args[args.length - 1]! += this.thread * workspaceBytes;
      const begin = (pieces - left) * pieceLength;
      try {
        kernel!(...args, begin, Math.min(begin + pieceLength, rangeLength));
      } catch {
        Atomics.store(words, DispatchWord.failed, 1);
      }
      if (Atomics.add(words, DispatchWord.done, 1) + 1 === pieces) Atomics.notify(words, DispatchWord.done);
    }
  }
}

// A block of shared memory describes one kernel call at a time. The call is cut into pieces, and every free thread takes the next one.
// The result of a piece does not depend on the thread that computes it, so the bits of a call do not depend on the number of threads.

/** Indices of the block's int32 words. Words that different threads write lie in different cache lines. */
export const DispatchWord = {
  /** `generation · 64 + pieces not yet taken`, so that a compare-and-exchange cannot take a piece of another call. */
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
  /** Bytes of workspace per thread, 0 if the kernel takes none. Its address is the last argument before the range. */
  workspaceBytes: 37,
  /** First of one word per thread, set when the thread is ready. */
  ready: 48,
} as const;

/** Largest number of threads, the calling one included: the block has this many `ready` words. */
export const MAX_THREADS = 64;

const ARGUMENTS_AT = 4 * (DispatchWord.ready + MAX_THREADS);
/** Largest number of arguments of a kernel, its range included. */
const MAX_ARGUMENTS = 24;

/** Size of the block. */
export const DISPATCH_BYTES = ARGUMENTS_AT + 8 * MAX_ARGUMENTS;

/** Largest number of pieces that `claim` can count. */
export const MAX_PIECES = 63;

type Kernel = (...args: number[]) => void;

/** One thread's access to the block. */
export class KernelDispatch {
  readonly words: Int32Array;
  readonly arguments: Float64Array;
  /** The module's functions, in the same order in every thread. */
  private readonly kernels: readonly Kernel[];

  constructor(
    memory: WebAssembly.Memory,
    at: number,
    exports: object,
    /** Number of this thread; 0 is the calling one. */
    private readonly thread: number,
  ) {
    this.words = new Int32Array(memory.buffer, at, ARGUMENTS_AT / 4);
    this.arguments = new Float64Array(memory.buffer, at + ARGUMENTS_AT, MAX_ARGUMENTS);
    this.kernels = Object.values(exports).filter((value) => typeof value === "function") as Kernel[];
  }

  /** Takes and computes pieces until none is left. @returns the value of `claim` with no piece left */
  runPieces(): number {
    const { words } = this;
    for (;;) {
      const claim = Atomics.load(words, DispatchWord.claim);
      const left = claim & MAX_PIECES;
      if (left === 0) return claim;
      // These values may belong to another call. Then the exchange below fails, and they are discarded.
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

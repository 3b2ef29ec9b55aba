import { formatBytes, MemoryError } from "../base/errors.js";

const ALIGNMENT_BYTES = 64;
const WASM_PAGE_BYTES = 65536;
/** One page short of all: kernels compare pointers with the end of a block, and an end of exactly 2^32 would be 0. */
const MAX_WASM_PAGES = 65535;

/** A memory as the threads see it that share it. */
export type SharedMemory = WebAssembly.Memory;

/** The most memory that a model can have, in bytes. */
export const MAX_MEMORY_BYTES = WASM_PAGE_BYTES * MAX_WASM_PAGES;

/**
 * First-fit allocator over one `WebAssembly.Memory`, which grows as needed and never shrinks.
 * Not a garbage collector: who allocates frees (the runtime's scopes do it for scratch).
 */
export class Heap {
  readonly memory: WebAssembly.Memory;
  /** All of the memory as float32 and as int32; anew whenever it has grown. */
  floats: Float32Array<ArrayBuffer>;
  words: Int32Array<ArrayBuffer>;
  /** Bytes handed out and not yet freed. */
  used = 0;
  /** The most that was ever handed out at once. */
  peak = 0;
  /** Free ranges by address, no two adjacent. */
  private free: { begin: number; end: number }[] = [];
  /** Size by address; negative while the block waits in `waiting`. */
  private sizes = new Map<number, number>();
  /** Freed blocks by size, not yet merged with their neighbours: a pass asks for the same sizes again and again. */
  private waiting = new Map<number, number[]>();
  private top: number;

  /**
   * @param shared whether several threads use the memory
   * @param bytes that will be needed, as far as that is known
   */
  constructor(shared = false, bytes = 0) {
    this.memory = (shared && reusedMemory(bytes)) || newMemory(shared);
    this.top = this.memory.buffer.byteLength;
    [this.floats, this.words] = views(this.memory);
  }

  /** Everything below `base` belongs to the module's own data. */
  reserve(base: number): void {
    this.free = [{ begin: roundUp(base), end: this.top }];
  }

  /** Address of `bytes` fresh bytes, aligned to 64. Their contents are undefined. `what` and `shape` name them, should there be no room. */
  allocate(bytes: number, what: string, shape?: readonly number[]): number {
    const size = allocatedBytes(bytes);
    const ptr = this.waiting.get(size)?.pop() ?? this.cut(size, what, shape);
    this.sizes.set(ptr, size);
    this.used += size;
    if (this.used > this.peak) this.peak = this.used;
    return ptr;
  }

  release(ptr: number): void {
    const size = this.sizes.get(ptr);
    if (size === undefined || size < 0) throw new MemoryError(`release: ${ptr} is not allocated (freed twice, or used after dispose)`);
    this.sizes.set(ptr, -size);
    this.used -= size;
    const alike = this.waiting.get(size);
    if (alike) alike.push(ptr);
    else this.waiting.set(size, [ptr]);
  }

  /** Takes `size` bytes from the first free range that has them. */
  private cut(size: number, what: string, shape?: readonly number[]): number {
    const fits = (range: { begin: number; end: number }) => range.end - range.begin >= size;
    let index = this.free.findIndex(fits);
    if (index < 0 && this.waiting.size > 0) {
      this.merge();
      index = this.free.findIndex(fits);
    }
    if (index < 0) {
      this.grow(size, shape ? `${what} [${shape.join(", ")}]` : what);
      index = this.free.length - 1;
    }
    const range = this.free[index]!;
    const ptr = range.begin;
    range.begin += size;
    if (range.begin === range.end) this.free.splice(index, 1);
    return ptr;
  }

  /** Gives all waiting blocks back to the free ranges. */
  private merge(): void {
    for (const [size, blocks] of this.waiting) {
      for (const ptr of blocks) {
        this.sizes.delete(ptr);
        this.insert(ptr, ptr + size);
      }
    }
    this.waiting.clear();
  }

  private insert(begin: number, end: number): void {
    let low = 0;
    for (let high = this.free.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.free[middle]!.begin < begin) low = middle + 1;
      else high = middle;
    }
    const left = this.free[low - 1];
    const right = this.free[low];
    if (left?.end === begin) {
      left.end = right?.begin === end ? right.end : end;
      if (right?.begin === end) this.free.splice(low, 1);
    } else if (right?.begin === end) right.begin = begin;
    else this.free.splice(low, 0, { begin, end });
  }

  private grow(size: number, where: string): void {
    const last = this.free.at(-1);
    const missing = size - (last?.end === this.top ? last.end - last.begin : 0);
    const pages = Math.ceil(missing / WASM_PAGE_BYTES);
    // Grow by an eighth at least, so that many small allocations do not each copy their view's buffer.
    const generous = Math.min(Math.max(pages, Math.ceil(this.top / WASM_PAGE_BYTES / 8)), MAX_WASM_PAGES - this.top / WASM_PAGE_BYTES);
    for (const count of new Set([Math.max(pages, generous), pages])) {
      try {
        this.memory.grow(count);
        [this.floats, this.words] = views(this.memory);
        this.insert(this.top, this.top + count * WASM_PAGE_BYTES);
        this.top += count * WASM_PAGE_BYTES;
        return;
      } catch {
        // Try the exact need before giving up.
      }
    }
    throw new MemoryError(
      `${where}: needs ${formatBytes(size)} more, ${formatBytes(this.used)} are in use and wasm32 holds ${formatBytes(MAX_MEMORY_BYTES)} at most (a smaller model, bf16 weights, a shorter context, or dispose() what is no longer needed)`,
    );
  }
}

/**
 * Shared memories that nobody uses any more and that the engine has not collected. V8 does not count shared memory, so it collects them late:
 * without reuse, a process that loads and disposes models would grow by one model each time. The references are weak: nothing is kept for later.
 */
const unused = new Set<WeakRef<WebAssembly.Memory>>();

/** A memory of at most this size is reused for anything; a larger one only where at least half of it is needed, because memories never shrink. */
const ALWAYS_REUSABLE_BYTES = 64 << 20;

/** Offers a memory to later heaps. No thread may use it any more. */
export function recycleMemory(memory: SharedMemory): void {
  if (!(memory.buffer instanceof ArrayBuffer)) unused.add(new WeakRef(memory));
}

/** The largest unused memory that is not too large for `bytes`, all zero like a new one. */
function reusedMemory(bytes: number): WebAssembly.Memory | undefined {
  let found: { reference: WeakRef<WebAssembly.Memory>; memory: WebAssembly.Memory } | undefined;
  for (const reference of unused) {
    const memory = reference.deref();
    const size = memory?.buffer.byteLength ?? 0;
    if (!memory) unused.delete(reference);
    else if (size <= Math.max(ALWAYS_REUSABLE_BYTES, 2 * bytes) && size > (found?.memory.buffer.byteLength ?? 0))
      found = { reference, memory };
  }
  if (!found) return undefined;
  unused.delete(found.reference);
  new Uint8Array(found.memory.buffer).fill(0);
  return found.memory;
}

/** Seen as an ArrayBuffer even where it is shared: nothing here depends on which it is. */
function views({ buffer }: WebAssembly.Memory): [Float32Array<ArrayBuffer>, Int32Array<ArrayBuffer>] {
  return [new Float32Array(buffer as ArrayBuffer), new Int32Array(buffer as ArrayBuffer)];
}

function newMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: MAX_WASM_PAGES, shared });
  } catch (cause) {
    throw new MemoryError(
      "load: the engine cannot reserve address space for one more WebAssembly memory (dispose models, or raise the process's limit)",
      { cause },
    );
  }
}

/** What an allocation of so many bytes takes. */
export function allocatedBytes(bytes: number): number {
  return roundUp(Math.max(bytes, 1));
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

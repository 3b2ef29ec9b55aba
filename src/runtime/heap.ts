import { formatBytes, MemoryError } from "../base/errors.js";

const ALIGNMENT_BYTES = 64;
const WASM_PAGE_BYTES = 65536;
/**
 * Maximum number of pages, one less than wasm32 allows. Kernels compare pointers with the end of a block, and an end of exactly 2^32 would
 * wrap to 0.
 */
const MAX_WASM_PAGES = 65535;

/** A memory that several threads share. */
export type SharedMemory = WebAssembly.Memory;

/** Maximum size of a runtime's memory, in bytes. */
export const MAX_MEMORY_BYTES = WASM_PAGE_BYTES * MAX_WASM_PAGES;

/**
 * A first-fit allocator over one `WebAssembly.Memory`, which grows as needed and never shrinks. Every allocation must be released. For
 * scratch tensors, the runtime's scopes do that.
 */
export class Heap {
  readonly memory: WebAssembly.Memory;
  /** The whole memory as float32 and as int32. Both views are replaced whenever the memory grows. */
  floats: Float32Array<ArrayBuffer>;
  words: Int32Array<ArrayBuffer>;
  /** Allocated bytes. */
  used = 0;
  /** Maximum of `used` so far. */
  peak = 0;
  /** Free ranges, in order of address. No two of them are adjacent. */
  private free: { begin: number; end: number }[] = [];
  /** Block sizes by address. The size is negative while the block is in `freed`. */
  private sizes = new Map<number, number>();
  /**
   * Freed blocks by size. They are not merged with their neighbours at once, because forward passes allocate the same sizes again and
   * again.
   */
  private freed = new Map<number, number[]>();
  private top: number;

  /**
   * @param shared whether several threads use the memory
   * @param bytes expected size of all allocations, if known
   */
  constructor(shared = false, bytes = 0) {
    this.memory = (shared && reusedMemory(bytes)) || newMemory(shared);
    this.top = this.memory.buffer.byteLength;
    [this.floats, this.words] = views(this.memory);
  }

  /** Excludes all memory below `base` from allocation, because it holds the module's own data. */
  reserve(base: number): void {
    this.free = [{ begin: roundUp(base), end: this.top }];
  }

  /**
   * Allocates bytes with undefined contents.
   *
   * @param what names the allocation in error messages, with `shape`
   * @returns the address, a multiple of 64
   * @throws {MemoryError} the memory cannot grow far enough
   */
  allocate(bytes: number, what: string, shape?: readonly number[]): number {
    const size = allocatedBytes(bytes);
    const ptr = this.freed.get(size)?.pop() ?? this.cut(size, what, shape);
    this.sizes.set(ptr, size);
    this.used += size;
    if (this.used > this.peak) this.peak = this.used;
    return ptr;
  }

  /** Frees a block. @throws {MemoryError} the address is not allocated */
  release(ptr: number): void {
    const size = this.sizes.get(ptr);
    if (size === undefined || size < 0) throw new MemoryError(`release: ${ptr} is not allocated (released twice, or used after dispose)`);
    this.sizes.set(ptr, -size);
    this.used -= size;
    const sameSize = this.freed.get(size);
    if (sameSize) sameSize.push(ptr);
    else this.freed.set(size, [ptr]);
  }

  /** Allocates `size` bytes from the first free range that is large enough. */
  private cut(size: number, what: string, shape?: readonly number[]): number {
    const fits = (range: { begin: number; end: number }) => range.end - range.begin >= size;
    let index = this.free.findIndex(fits);
    if (index < 0 && this.freed.size > 0) {
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

  /** Returns all freed blocks to the free ranges. */
  private merge(): void {
    for (const [size, blocks] of this.freed) {
      for (const ptr of blocks) {
        this.sizes.delete(ptr);
        this.insert(ptr, ptr + size);
      }
    }
    this.freed.clear();
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
    // The memory grows by at least an eighth, so that many small allocations do not grow it one by one.
    const withReserve = Math.min(Math.max(pages, Math.ceil(this.top / WASM_PAGE_BYTES / 8)), MAX_WASM_PAGES - this.top / WASM_PAGE_BYTES);
    for (const count of new Set([Math.max(pages, withReserve), pages])) {
      try {
        this.memory.grow(count);
        [this.floats, this.words] = views(this.memory);
        this.insert(this.top, this.top + count * WASM_PAGE_BYTES);
        this.top += count * WASM_PAGE_BYTES;
        return;
      } catch {
        // The second attempt asks only for what is needed.
      }
    }
    throw new MemoryError(
      `${where}: needs ${formatBytes(size)} more, ${formatBytes(this.used)} are in use, and wasm32 holds at most ${formatBytes(MAX_MEMORY_BYTES)}. Use a smaller model, bf16 weights or a shorter context, or dispose() what is no longer needed.`,
    );
  }
}

/**
 * Unused shared memories that the engine has not collected yet, for reuse. V8 does not count shared memory as memory pressure, so it
 * collects them late. Without reuse, a process that loads and disposes models would grow by one model each time. The references are weak,
 * so a memory can still be collected.
 */
const unused = new Set<WeakRef<WebAssembly.Memory>>();

/**
 * Maximum size in bytes of a memory that is reused for any request. A larger memory is reused only if at least half of it is needed,
 * because memories never shrink.
 */
const ALWAYS_REUSABLE_BYTES = 64 << 20;

/** Offers a memory to later heaps. The caller guarantees that no thread uses it any more. */
export function recycleMemory(memory: SharedMemory): void {
  if (!(memory.buffer instanceof ArrayBuffer)) unused.add(new WeakRef(memory));
}

/** Returns the largest unused memory that is not too large for `bytes`. It is filled with zeros, like a new one. */
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

/**
 * Returns views of a memory. They are typed as ArrayBuffer even if the memory is shared, because nothing here depends on the difference.
 */
function views({ buffer }: WebAssembly.Memory): [Float32Array<ArrayBuffer>, Int32Array<ArrayBuffer>] {
  return [new Float32Array(buffer as ArrayBuffer), new Int32Array(buffer as ArrayBuffer)];
}

function newMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: MAX_WASM_PAGES, shared });
  } catch (cause) {
    throw new MemoryError(
      "load: the engine cannot reserve address space for another WebAssembly memory. Dispose models, or raise the process's limit on address space.",
      { cause },
    );
  }
}

/** Returns the size of the block that an allocation of `bytes` takes. */
export function allocatedBytes(bytes: number): number {
  return roundUp(Math.max(bytes, 1));
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

import { is } from "valibot";
import { cannotShareReason, canShare, processors } from "#threads";
import { InputError, LightningError, ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import { Heap, recycleMemory, type SharedMemory } from "./heap.js";
import { threadNumber } from "./options.js";
import type { Tape } from "./tape.js";
import { bytesOf, type DType, sizeOf, type Tensor } from "./tensor.js";
import { ThreadPool } from "./thread-pool.js";
import { type Build, compile, instantiate, type Kernels, type RangeKernelArguments, type WorkspaceKernelArguments } from "./wasm.js";

/** One call of a kernel, as a profile sees it. */
export interface KernelCall {
  readonly kernel: string;
  readonly ms: number;
  /**
   * Floating point operations, counted from the shapes. Exact for products with weights and both attentions: two for every multiply-add that
   * the call asks for, of causal attention the pairs that exist. An estimate for all other kernels, by which threads are shared out.
   */
  readonly work: number;
}

export interface RuntimeOptions {
  /** Threads to compute with, this one included, at most 64; `"auto"` takes one per processor, at most 8, and leaves one to what else writes to a shared memory. Bits do not depend on it. */
  threads?: number | "auto";
  /** Makes the memory shared even for one thread, so that another one can read files into it (false). */
  shared?: boolean;
  /** Bytes that will be needed, as far as that is known (0): a memory left by a disposed runtime is reused if it is not much larger. */
  bytes?: number;
  /** Told, once, if there is only one thread where more were asked for. */
  onWarning?: (message: string) => void;
}

/** `"auto"` takes no more than this: what more of them bring has not been measured. */
const MAX_AUTO_THREADS = 8;

/** Threads that use a runtime's memory. */
interface AttachedThreads {
  /** @returns what settles when they have ended, if that can be known */
  dispose(): Promise<unknown> | undefined;
}

/** Threads end with the runtime that they belong to, even one that is dropped without `dispose`. */
const abandoned = new FinalizationRegistry<AttachedThreads>((threads) => void threads.dispose());

/**
 * One wasm instance with its memory: what a model, its caches and its scratch live in.
 *
 * Memory has three lifetimes: `keep` until `release` (weights, caches), everything from `empty` until the enclosing
 * `scope` ends (scratch), and all of it until `dispose`.
 */
export class Runtime {
  /** Calls of fewer operations are not worth a second thread: they take about as long as telling it. @internal */
  static sharedWork = 600_000;

  private scopes: number[][] = [];
  /** Scratch tensors that a tape keeps, by address. */
  private readonly retained = new Set<number>();
  private scratch = { ptr: 0, bytes: 0, each: 0 };
  /** Threads that use the memory. */
  private readonly attachedThreads: AttachedThreads[] = [];
  /** What is to be done when a scope ends, by scope. */
  private readonly scopeEndCallbacks = new Map<number[], (() => void)[]>();
  /** Told of every kernel call that an op makes, if set: for profiles. */
  onKernel: ((call: KernelCall) => void) | undefined;
  /** Where ops record themselves, while one watches. @internal */
  tape: Tape | undefined;

  private constructor(
    readonly build: Build,
    private live: { kernels: Kernels; heap: Heap; pool: ThreadPool | undefined } | undefined,
  ) {}

  /**
   * @param build which kernels to run; `"auto"` takes relaxed SIMD where the engine has it
   * @throws {InputError} threads that are no number of threads
   */
  static async create(build: Build | "auto" = "auto", options: RuntimeOptions = {}): Promise<Runtime> {
    const { threads = 1, shared = false, bytes = 0, onWarning = () => {} } = options;
    const count = threadCount(threads, shared, onWarning);
    const picked = await compile(build, shared || count > 1);
    const heap = new Heap(shared || count > 1, bytes);
    const kernels = instantiate(picked.module, heap);
    const pool = count > 1 ? new ThreadPool(count, picked.module, kernels, heap, onWarning) : undefined;
    const runtime = new Runtime(picked.build, { kernels, heap, pool });
    if (pool) runtime.attachThreads(pool);
    return runtime;
  }

  /** Threads that compute, the calling one included. */
  get threads(): number {
    return this.live?.pool?.threads ?? 1;
  }

  /** Starts the threads, which otherwise happens with the first large call, and waits until all are up. @internal */
  async threadsReady(): Promise<void> {
    while (this.alive.pool?.isStarting()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** The kernels, as functions of pointers and integers. */
  get kernels(): Kernels {
    return this.alive.kernels;
  }

  private get heap(): Heap {
    return this.alive.heap;
  }

  private get alive(): { kernels: Kernels; heap: Heap; pool: ThreadPool | undefined } {
    if (!this.live) throw new LightningError("runtime: used after dispose (load the model again)");
    return this.live;
  }

  /** Bytes in use, the most ever in use, and the size of the memory itself. */
  get memory(): { usedBytes: number; peakBytes: number; reservedBytes: number } {
    if (!this.live) return { usedBytes: 0, peakBytes: 0, reservedBytes: 0 };
    const { used, peak, memory } = this.live.heap;
    return { usedBytes: used, peakBytes: peak, reservedBytes: memory.buffer.byteLength };
  }

  /** A tensor with undefined contents that lives until the enclosing scope ends. */
  empty(shape: readonly number[], dtype: DType = "f32"): Tensor {
    const x = this.keep(shape, dtype);
    this.scopes.at(-1)?.push(x.ptr);
    return x;
  }

  /** A tensor with undefined contents that lives until `release`. */
  keep(shape: readonly number[], dtype: DType = "f32", layout: Tensor["layout"] = "rows"): Tensor {
    const bytes = bytesOf(shape, dtype, layout);
    if (!(bytes >= 0)) throw new ShapeError(`tensor: expected a shape and f32, bf16, q8 or i32, got [${shape.join(", ")}] ${dtype}`);
    const ptr = this.heap.allocate(bytes, "tensor", shape);
    return { rt: this, ptr, shape, dtype, layout, whole: undefined };
  }

  /** A scratch tensor filled from an array. @throws {ShapeError} too few or too many numbers */
  from(data: ArrayLike<number>, shape: readonly number[] = [data.length], dtype: "f32" | "i32" = "f32"): Tensor {
    if (data.length !== sizeOf(shape))
      throw new ShapeError(`from: data: expected ${sizeOf(shape)} numbers for [${shape.join(", ")}], got ${data.length}`);
    const x = this.empty(shape, dtype);
    const { floats, words } = this.heap;
    (dtype === "f32" ? floats : words).set(data, x.ptr / 4);
    return x;
  }

  /** Sets every element of a float32 tensor. */
  fill(x: Tensor, value: number): void {
    this.heap.floats.fill(value, x.ptr / 4, x.ptr / 4 + sizeOf(x.shape));
  }

  /** A copy of a few int32 elements. */
  integers(x: Tensor): number[] {
    const { words } = this.heap;
    const list: number[] = [];
    for (let i = 0; i < sizeOf(x.shape); i++) list.push(words[x.ptr / 4 + i]!);
    return list;
  }

  /** Frees a kept tensor, or a scratch tensor before its scope ends; one that a tape holds stays. */
  release(x: Tensor): void {
    if (this.retained.has(x.ptr)) return;
    for (const scope of this.scopes) {
      const index = scope.lastIndexOf(x.ptr);
      if (index >= 0) scope.splice(index, 1);
    }
    this.live?.heap.release(x.ptr);
  }

  /** Keeps a scratch tensor beyond its scope. @returns whether it was one @internal */
  retain(x: Tensor): boolean {
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const index = this.scopes[i]!.lastIndexOf(x.ptr);
      if (index < 0) continue;
      this.scopes[i]!.splice(index, 1);
      this.retained.add(x.ptr);
      return true;
    }
    return false;
  }

  /** Frees what `retain` kept. @internal */
  releaseRetained(x: Tensor): void {
    this.retained.delete(x.ptr);
    this.release(x);
  }

  /** Runs `body` and frees every scratch tensor made inside, except those it returns (alone, in an array or in an object; a slice does not keep what it was cut from). */
  scope<T>(body: () => T): T {
    const mine: number[] = [];
    this.scopes.push(mine);
    let result: T | undefined;
    try {
      result = body();
      return result;
    } finally {
      this.scopes.pop();
      const outer = this.scopes.at(-1);
      const kept = tensorPointers(result);
      for (const ptr of mine) {
        if (kept.includes(ptr)) outer?.push(ptr);
        else this.heap.release(ptr);
      }
      if (this.scopeEndCallbacks.size > 0) {
        const endings = this.scopeEndCallbacks.get(mine);
        this.scopeEndCallbacks.delete(mine);
        for (const ending of endings ?? []) ending();
      }
    }
  }

  /** Does something when the enclosing scope ends. @throws {LightningError} there is none @internal */
  onScopeEnd(ending: () => void): void {
    const scope = this.scopes.at(-1);
    if (!scope)
      throw new LightningError("weights: expected to be asked for in a scope, got none (rt.scope: streamed weights stay until it ends)");
    const endings = this.scopeEndCallbacks.get(scope);
    if (endings) endings.push(ending);
    else this.scopeEndCallbacks.set(scope, [ending]);
  }

  /** The memory that another thread may write to. @internal */
  get sharedMemory(): SharedMemory {
    return this.heap.memory;
  }

  /**
   * Runs a kernel, on all threads if that pays.
   *
   * @param args the kernel's arguments, the last two its whole range: 0 and its end
   * @param work floating point operations of the call
   */
  run<K extends keyof RangeKernelArguments>(kernel: K, args: RangeKernelArguments[K], work: number): void {
    this.call(kernel, args, 0, work);
  }

  /** Like `run`, for a kernel that takes a workspace before its range: the address that `workspace` gave. */
  runIn<K extends keyof WorkspaceKernelArguments>(kernel: K, args: WorkspaceKernelArguments[K], work: number): void {
    this.call(kernel, args, this.scratch.each, work);
  }

  private call(
    kernel: keyof RangeKernelArguments | keyof WorkspaceKernelArguments,
    args: readonly number[],
    workspaceBytes: number,
    work: number,
  ): void {
    const { kernels, pool } = this.alive;
    const begin = this.onKernel ? performance.now() : 0;
    if (pool && work >= Runtime.sharedWork && args.at(-1)! > 1) pool.run(kernel, args, workspaceBytes);
    else (kernels[kernel] as (...args: number[]) => void)(...args);
    this.onKernel?.({ kernel, ms: performance.now() - begin, work });
  }

  /** A workspace for one kernel call, `bytes` for each thread. Valid until the next request for one. */
  workspace(bytes: number): number {
    const each = Math.ceil(bytes / 64) * 64;
    const all = each * (this.alive.pool?.maxThreads ?? 1);
    if (all > this.scratch.bytes) {
      if (this.scratch.ptr) this.heap.release(this.scratch.ptr);
      this.scratch = { ptr: 0, bytes: 0, each: 0 };
      this.scratch = { ptr: this.heap.allocate(all, "workspace"), bytes: all, each };
    }
    this.scratch.each = each;
    return this.scratch.ptr;
  }

  /** A live view; any later allocation may detach it. */
  f32(x: Tensor): Float32Array<ArrayBuffer> {
    return new Float32Array(this.heap.floats.buffer, x.ptr, sizeOf(x.shape));
  }

  /** A live view; any later allocation may detach it. */
  i32(x: Tensor): Int32Array<ArrayBuffer> {
    return new Int32Array(this.heap.floats.buffer, x.ptr, sizeOf(x.shape));
  }

  /** A live view of raw bytes; any later allocation may detach it. */
  bytes(ptr: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.heap.floats.buffer, ptr, length);
  }

  /** A copy of a float32 tensor's elements that outlives it. */
  read(x: Tensor): Float32Array<ArrayBuffer> {
    return this.f32(x).slice();
  }

  /** Ends threads when the memory is given back, or the runtime is dropped; they must not refer to it. @internal */
  attachThreads(threads: AttachedThreads): void {
    this.attachedThreads.push(threads);
    abandoned.register(this, threads, this);
  }

  /** Gives the memory back. Tensors of this runtime are dead afterwards. */
  dispose(): void {
    abandoned.unregister(this);
    const heap = this.live?.heap;
    this.live = undefined;
    const ends = this.attachedThreads.splice(0).map((threads) => threads.dispose());
    if (heap && !ends.includes(undefined)) void Promise.all(ends).then(() => recycleMemory(heap.memory));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function threadCount(threads: number | "auto", shared: boolean, onWarning: (message: string) => void): number {
  if (threads !== "auto" && !is(threadNumber, threads)) {
    const got = typeof threads === "string" ? JSON.stringify(threads) : String(threads);
    throw new InputError(`threads: expected "auto" or ${threadNumber.message}, got ${printed(got)}`);
  }
  const free = Math.max(1, shared ? processors - 1 : processors);
  const count = threads === "auto" ? Math.min(free, MAX_AUTO_THREADS) : threads;
  if (count > 1 && !canShare) {
    onWarning(`threads: computing on one: ${cannotShareReason}`);
    return 1;
  }
  return count;
}

/** Addresses of all tensors in a value: the value itself, or what arrays and plain objects hold. */
function tensorPointers(value: unknown, found: number[] = []): number[] {
  if (typeof value !== "object" || value === null) return found;
  if ("ptr" in value && typeof value.ptr === "number") found.push(value.ptr);
  else if (Array.isArray(value)) for (const item of value) tensorPointers(item, found);
  else if (Object.getPrototypeOf(value) === Object.prototype) for (const item of Object.values(value)) tensorPointers(item, found);
  return found;
}

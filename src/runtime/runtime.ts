import { LightningError, ShapeError } from "../base/errors.js";
import { Heap, recycleMemory, type SharedMemory } from "./heap.js";
import { Scopes } from "./scopes.js";
import type { Tape } from "./tape.js";
import { bytesOf, type DType, sizeOf, type Tensor } from "./tensor.js";
import { threadCount } from "./thread-count.js";
import { ThreadPool } from "./thread-pool.js";
import { type Build, compile, instantiate, type Kernels, type RangeKernelArguments, type WorkspaceKernelArguments } from "./wasm.js";

/** One kernel call, as `onKernel` reports it. */
export interface KernelCall {
  readonly kernel: string;
  readonly ms: number;
  /**
   * Number of floating point operations, counted from the shapes. For matmuls with weights and for both attentions it is exact: two per
   * multiply-add, and for causal attention only the pairs that exist. For all other kernels it is an estimate, used to decide whether
   * threads share the call.
   */
  readonly work: number;
}

export interface RuntimeOptions {
  /**
   * Number of threads that compute, at most 64, including the calling thread. `"auto"` is one per processor, at most 8. With `shared`, it
   * leaves one processor to the thread that reads files. Results are bit-identical for any number.
   */
  threads?: number | "auto";
  /** Whether the memory is shared even for one thread, so that another thread can read files into it (false). */
  shared?: boolean;
  /** Expected size of all allocations in bytes (0). The memory of a disposed runtime is reused if it is not much larger. */
  bytes?: number;
  /** Called once if the runtime computes with fewer threads than requested. */
  onWarning?: (message: string) => void;
  /**
   * Minimum number of operations with which threads share a call. Distributing a smaller call takes about as long as computing it.
   * @internal
   */
  minThreadedWork?: number;
  /** Time in milliseconds after which a thread that has finished no piece of work counts as dead. @internal */
  threadTimeoutMs?: number;
}

const DEFAULT_MIN_THREADED_WORK = 600_000;

/** Alignment of workspaces, so that those of different threads begin in different cache lines. */
const WORKSPACE_ALIGNMENT_BYTES = 64;

/** Threads that use a runtime's memory. */
interface AttachedThreads {
  /** Ends the threads. @returns a promise that settles when they have ended, or undefined if that cannot be observed */
  dispose(): Promise<unknown> | undefined;
}

/** Ends the threads of runtimes that were garbage-collected without `dispose`. */
const droppedRuntimes = new FinalizationRegistry<AttachedThreads>((threads) => void threads.dispose());

interface Resources {
  readonly kernels: Kernels;
  readonly heap: Heap;
  readonly pool: ThreadPool | undefined;
}

/**
 * One wasm instance with its memory, which holds a model, its caches and its scratch tensors.
 *
 * A tensor can have one of two lifetimes. A tensor from `keep` lives until `release`; weights and caches are such tensors. A tensor from
 * `empty` lives until the enclosing `scope` ends; scratch tensors are such tensors. `dispose` frees all of them.
 */
export class Runtime {
  private readonly scopes = new Scopes((ptr) => this.heap.release(ptr));
  private scratch = { ptr: 0, bytes: 0, bytesPerThread: 0 };
  private readonly attachedThreads: AttachedThreads[] = [];
  /** Called after every kernel call of an op, if set. Use it for profiles. */
  onKernel: ((call: KernelCall) => void) | undefined;
  /** The tape on which ops record their backward closures. Undefined if nothing is recorded. @internal */
  tape: Tape | undefined;

  private constructor(
    readonly build: Build,
    private resources: Resources | undefined,
    private readonly minThreadedWork: number,
  ) {}

  /**
   * Creates a runtime.
   *
   * @param build the kernels to run. `"auto"` uses relaxed SIMD if the engine supports it
   * @throws {InputError} an invalid number of threads
   */
  static async create(build: Build | "auto" = "auto", options: RuntimeOptions = {}): Promise<Runtime> {
    const { threads = 1, shared = false, bytes = 0, onWarning = () => {}, minThreadedWork = DEFAULT_MIN_THREADED_WORK } = options;
    const count = threadCount(threads, shared, onWarning);
    const picked = await compile(build, shared || count > 1);
    const heap = new Heap(shared || count > 1, bytes);
    const kernels = instantiate(picked.module, heap);
    const pool =
      count > 1 ? new ThreadPool(count, picked.module, kernels, heap, { onWarning, timeoutMs: options.threadTimeoutMs }) : undefined;
    const runtime = new Runtime(picked.build, { kernels, heap, pool }, minThreadedWork);
    if (pool) runtime.attachThreads(pool);
    return runtime;
  }

  /** Number of threads that compute, including the calling thread. */
  get threads(): number {
    return this.resources?.pool?.threads ?? 1;
  }

  /** Starts the threads now instead of with the first large call, and waits until all are ready. @internal */
  async threadsReady(): Promise<void> {
    while (this.active.pool?.isStarting()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** The kernels, as functions of pointers and integers. */
  get kernels(): Kernels {
    return this.active.kernels;
  }

  private get heap(): Heap {
    return this.active.heap;
  }

  private get active(): Resources {
    if (!this.resources) throw new LightningError("runtime: used after dispose. Load the model again.");
    return this.resources;
  }

  /** Bytes in use, the maximum of bytes in use so far, and the size of the memory itself. */
  get memory(): { usedBytes: number; peakBytes: number; reservedBytes: number } {
    if (!this.resources) return { usedBytes: 0, peakBytes: 0, reservedBytes: 0 };
    const { used, peak, memory } = this.resources.heap;
    return { usedBytes: used, peakBytes: peak, reservedBytes: memory.buffer.byteLength };
  }

  /** Allocates a scratch tensor with undefined contents. It is freed when the enclosing scope ends. */
  empty(shape: readonly number[], dtype: DType = "f32"): Tensor {
    const x = this.keep(shape, dtype);
    this.scopes.add(x.ptr);
    return x;
  }

  /** Allocates a tensor with undefined contents. It lives until `release`. */
  keep(shape: readonly number[], dtype: DType = "f32", layout: Tensor["layout"] = "rows"): Tensor {
    const bytes = bytesOf(shape, dtype, layout);
    if (!(bytes >= 0)) throw new ShapeError(`tensor: expected a shape and f32, bf16, q8, q4 or i32, got [${shape.join(", ")}] ${dtype}`);
    const ptr = this.heap.allocate(bytes, "tensor", shape);
    return { rt: this, ptr, shape, dtype, layout, whole: undefined };
  }

  /** Creates a scratch tensor from the numbers of an array. @throws {ShapeError} too few or too many numbers */
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

  /** Copies the elements of a small int32 tensor. */
  integers(x: Tensor): number[] {
    const { words } = this.heap;
    const list: number[] = [];
    for (let i = 0; i < sizeOf(x.shape); i++) list.push(words[x.ptr / 4 + i]!);
    return list;
  }

  /** Frees a kept tensor, or a scratch tensor before its scope ends. Has no effect on a tensor that a tape retains. */
  release(x: Tensor): void {
    if (this.scopes.isRetained(x.ptr)) return;
    this.scopes.remove(x.ptr);
    this.resources?.heap.release(x.ptr);
  }

  /** Keeps a scratch tensor beyond its scope, until `releaseRetained`. @returns whether it was a scratch tensor @internal */
  retain(x: Tensor): boolean {
    return this.scopes.retain(x.ptr);
  }

  /** Frees a tensor that `retain` kept. @internal */
  releaseRetained(x: Tensor): void {
    this.scopes.unretain(x.ptr);
    this.release(x);
  }

  /**
   * Runs `body` and frees every scratch tensor that was created inside, except those in its result. The result may be a tensor, or an array
   * or plain object of tensors. A slice in the result does not keep the tensor that it is part of.
   */
  scope<T>(body: () => T): T {
    return this.scopes.run(body);
  }

  /** Calls `callback` when the enclosing scope ends. @throws {LightningError} no scope is open @internal */
  onScopeEnd(callback: () => void): void {
    this.scopes.onEnd(callback);
  }

  /** The memory, for a thread that writes to it. @internal */
  get sharedMemory(): SharedMemory {
    return this.heap.memory;
  }

  /**
   * Runs a kernel. If the call is large enough, all threads share it.
   *
   * @param args the kernel's arguments; the last two are its whole range, which are 0 and its end
   * @param work floating point operations of the call
   */
  run<K extends keyof RangeKernelArguments>(kernel: K, args: RangeKernelArguments[K], work: number): void {
    this.call(kernel, args, 0, work);
  }

  /** Runs a kernel that takes a workspace, like `run`. The argument before the range is the address that `workspace` returned. */
  runIn<K extends keyof WorkspaceKernelArguments>(kernel: K, args: WorkspaceKernelArguments[K], work: number): void {
    this.call(kernel, args, this.scratch.bytesPerThread, work);
  }

  private call(
    kernel: keyof RangeKernelArguments | keyof WorkspaceKernelArguments,
    args: readonly number[],
    workspaceBytes: number,
    work: number,
  ): void {
    const { kernels, pool } = this.active;
    const begin = this.onKernel ? performance.now() : 0;
    if (pool && work >= this.minThreadedWork && args.at(-1)! > 1) pool.run(kernel, args, workspaceBytes);
    else (kernels[kernel] as (...args: number[]) => void)(...args);
    this.onKernel?.({ kernel, ms: performance.now() - begin, work });
  }

  /**
   * Returns the address of a workspace for one kernel call, with `bytes` for each thread. It is valid until the next call of this method.
   */
  workspace(bytes: number): number {
    const bytesPerThread = Math.ceil(bytes / WORKSPACE_ALIGNMENT_BYTES) * WORKSPACE_ALIGNMENT_BYTES;
    const all = bytesPerThread * (this.active.pool?.maxThreads ?? 1);
    if (all > this.scratch.bytes) {
      if (this.scratch.ptr) this.heap.release(this.scratch.ptr);
      this.scratch = { ptr: 0, bytes: 0, bytesPerThread: 0 };
      this.scratch = { ptr: this.heap.allocate(all, "workspace"), bytes: all, bytesPerThread };
    }
    this.scratch.bytesPerThread = bytesPerThread;
    return this.scratch.ptr;
  }

  /** Returns a view of a float32 tensor's elements. Any later allocation may detach it. */
  f32(x: Tensor): Float32Array<ArrayBuffer> {
    return new Float32Array(this.heap.floats.buffer, x.ptr, sizeOf(x.shape));
  }

  /** Returns a view of an int32 tensor's elements. Any later allocation may detach it. */
  i32(x: Tensor): Int32Array<ArrayBuffer> {
    return new Int32Array(this.heap.floats.buffer, x.ptr, sizeOf(x.shape));
  }

  /** Returns a view of raw bytes. Any later allocation may detach it. */
  bytes(ptr: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.heap.floats.buffer, ptr, length);
  }

  /** Copies a float32 tensor's elements in the order in which they are in memory. */
  read(x: Tensor): Float32Array<ArrayBuffer> {
    return this.f32(x).slice();
  }

  /** Registers threads that end on `dispose`, or when the runtime is garbage-collected. They must not refer to the runtime. @internal */
  attachThreads(threads: AttachedThreads): void {
    this.attachedThreads.push(threads);
    droppedRuntimes.register(this, threads, this);
  }

  /** Frees the memory and ends the threads. Later ops on tensors of this runtime throw. */
  dispose(): void {
    droppedRuntimes.unregister(this);
    const heap = this.resources?.heap;
    this.resources = undefined;
    const ends = this.attachedThreads.splice(0).map((threads) => threads.dispose());
    if (heap && !ends.includes(undefined)) void Promise.all(ends).then(() => recycleMemory(heap.memory));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

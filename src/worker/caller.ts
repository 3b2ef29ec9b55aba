import type { Endpoint } from "../base/endpoint.js";
import { InputError, LightningError } from "../base/errors.js";
import type { ModelEvent, Name, Operations, Reply, Request } from "./protocol.js";
import { receiveError } from "./sent-error.js";

/** What to do if a worker does not start. */
export const START_REMEDY =
  "Copy lightning-m1-worker.js and lightning-m1.js of the package's folder dist/standalone beside the script that starts it, or pass the option worker.";

interface CallOptions<Item> {
  readonly signal?: AbortSignal | undefined;
  readonly transfer?: readonly ArrayBuffer[];
  /** Called with items that the worker sends during the call. If it throws, the call is aborted and rejects with that error. */
  readonly onItem?: (item: Item) => void;
}

interface PendingCall {
  onItem(item: unknown): void;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** The page's side of the protocol: makes calls, and distributes what the worker sends. */
export class Caller {
  private readonly pending = new Map<number, PendingCall>();
  private calls = 0;
  private handles = 0;
  /** Whether the worker has sent anything. */
  private started = false;
  /** Why no call can be made any more. */
  private end: { readonly error: unknown } | undefined;

  /** @param onEvent called with events. If it throws, the worker is ended, and all calls reject with that error */
  constructor(
    private readonly endpoint: Endpoint,
    private readonly onEvent: (event: ModelEvent) => void,
  ) {
    const handleEnd = (reason: string) =>
      this.close(new LightningError(`worker: the worker has ended (${reason}). ${this.started ? "Load the model again." : START_REMEDY}`));
    endpoint.listen((reply) => this.receive(reply as Reply), handleEnd);
  }

  /** Makes a call and waits for its result. After an abort, waits until the worker has stopped, and then rejects with the signal's reason. */
  call<N extends Name>(
    name: N,
    args: Operations[N]["args"],
    options: CallOptions<Operations[N]["item"]> = {},
  ): Promise<Operations[N]["result"]> {
    return this.start(name, args, options, 0).result;
  }

  /** Makes a call whose result is not needed. If it creates an object, and fails, each use of the object reports the error. */
  send<N extends Name>(name: N, args: Operations[N]["args"]): void {
    this.call(name, args).catch(() => {});
  }

  /** Returns a number for a new session or cache of the worker. */
  newHandle(): number {
    return ++this.handles;
  }

  /**
   * Makes a call when the first item is requested, and yields its items. Leaving the loop aborts the call.
   *
   * @param ahead maximum number of items that the worker computes before they are requested
   */
  async *stream<N extends Name>(
    name: N,
    args: Operations[N]["args"],
    { ahead = 0, ...options }: CallOptions<never> & { readonly ahead?: number } = {},
  ): AsyncGenerator<Operations[N]["item"], Operations[N]["result"], undefined> {
    const arrived: Operations[N]["item"][] = [];
    let wake = () => {};
    let ended = false;
    const onItem = (item: Operations[N]["item"]) => {
      arrived.push(item);
      wake();
    };
    const { id, result } = this.start(name, args, { ...options, onItem }, 1 + ahead);
    const end = result
      .catch(() => {})
      .then(() => {
        ended = true;
        wake();
      });
    try {
      for (;;) {
        while (arrived.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
        if (arrived.length === 0) return await result;
        yield arrived.shift()!;
        if (!ended) this.post({ call: id, more: 1 });
      }
    } finally {
      if (!ended) this.post({ call: id, abort: true });
      await end;
    }
  }

  /** Ends the worker. All pending and later calls reject with the error. */
  close(error: unknown): void {
    if (this.end) return;
    this.end = { error };
    this.endpoint.close();
    for (const call of [...this.pending.values()]) call.reject(error);
  }

  private start<N extends Name>(
    name: N,
    args: Operations[N]["args"],
    { signal, transfer, onItem }: CallOptions<Operations[N]["item"]>,
    credits: number,
  ): { id: number; result: Promise<Operations[N]["result"]> } {
    const id = ++this.calls;
    let failure: { readonly error: unknown } | undefined;
    const abort = () => this.post({ call: id, abort: true });
    const result = new Promise<unknown>((resolve, reject) => {
      if (this.end) throw this.end.error;
      signal?.throwIfAborted();
      this.post({ call: id, name, args, credits }, transfer);
      this.pending.set(id, {
        resolve,
        reject,
        onItem: (item) => {
          try {
            onItem?.(item as Operations[N]["item"]);
          } catch (error) {
            failure ??= { error };
            abort();
          }
        },
      });
      this.endpoint.keepAlive(true);
      signal?.addEventListener("abort", abort);
    });
    const settled = result
      .catch((error: unknown) => {
        throw signal?.aborted && !this.end ? signal.reason : error;
      })
      .finally(() => {
        signal?.removeEventListener("abort", abort);
        this.pending.delete(id);
        if (this.pending.size === 0) this.endpoint.keepAlive(false);
        if (failure) throw failure.error;
      });
    return { id, result: settled as Promise<Operations[N]["result"]> };
  }

  private post(request: Request, transfer?: readonly ArrayBuffer[]): void {
    if (!this.end) this.endpoint.post(request, transfer);
  }

  private receive(reply: Reply): void {
    this.started = true;
    if ("event" in reply) {
      try {
        this.onEvent(reply.event);
      } catch (error) {
        this.close(error);
      }
      return;
    }
    const call = this.pending.get(reply.call);
    if ("item" in reply) call?.onItem(reply.item);
    else if ("error" in reply) call?.reject(receiveError(reply.error));
    else call?.resolve(reply.result);
  }
}

/**
 * Copies a value, as it would be sent to a worker.
 *
 * @throws {InputError} a value that cannot be sent, such as one that contains functions
 */
export function sendable<T>(value: T, where: string): T {
  try {
    return structuredClone(value);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "it cannot be cloned";
    throw new InputError(`${where}: expected plain values, got a value that cannot be sent to a worker: ${reason}`, { cause });
  }
}

import type { Endpoint } from "../base/endpoint.js";
import type { Name, Operations, Reply, Request } from "./protocol.js";
import { sendError } from "./sent-error.js";
import { buffersOf } from "./transfer.js";

export interface CallContext<Item> {
  /** Aborts when the page does not need the rest of the call. */
  readonly signal: AbortSignal;
  /** Sends an item at once, even without credits. */
  emit(item: Item): void;
}

/** Performs each operation: with a value, a promise, or a generator, whose items are sent as the page grants credits. */
export type Handlers = {
  readonly [N in Name]: (
    args: Operations[N]["args"],
    context: CallContext<Operations[N]["item"]>,
  ) =>
    | Operations[N]["result"]
    | Promise<Operations[N]["result"]>
    | AsyncGenerator<Operations[N]["item"], Operations[N]["result"], undefined>;
};

interface RunningCall {
  readonly control: AbortController;
  credits: number;
  /** Resumes a generator that waits for credits. */
  wake(): void;
}

/** The worker's side of the protocol: performs the calls of the page. */
export function serveCalls(endpoint: Endpoint, handlers: Handlers): void {
  const running = new Map<number, RunningCall>();
  const post = (reply: Reply) => endpoint.post(reply, buffersOf(reply));

  async function run({ call: id, name, args, credits }: Extract<Request, { name: Name }>): Promise<void> {
    const call: RunningCall = { control: new AbortController(), credits, wake() {} };
    running.set(id, call);
    const emit = (item: unknown) => post({ call: id, item });
    try {
      const handler = handlers[name] as (args: unknown, context: CallContext<unknown>) => unknown;
      const output = handler(args, { signal: call.control.signal, emit });
      post({ call: id, result: isGenerator(output) ? await sendItems(output, call, emit) : await output });
    } catch (error) {
      post({ call: id, error: sendError(error) });
    }
    running.delete(id);
  }

  endpoint.listen(
    (message) => {
      const request = message as Request;
      if ("name" in request) return void run(request);
      const call = running.get(request.call);
      if (!call) return;
      if ("abort" in request) {
        call.control.abort();
        // The generator runs to its next step, which throws.
        call.credits = Number.POSITIVE_INFINITY;
      } else call.credits += request.more;
      call.wake();
    },
    () => {},
  );
}

async function sendItems(
  items: AsyncGenerator<unknown, unknown, undefined>,
  call: RunningCall,
  emit: (item: unknown) => void,
): Promise<unknown> {
  for (;;) {
    while (call.credits < 1) await new Promise<void>((resolve) => (call.wake = resolve));
    const { done, value } = await items.next();
    if (done) return value;
    call.credits--;
    emit(value);
  }
}

function isGenerator(value: unknown): value is AsyncGenerator<unknown, unknown, undefined> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

import { followSignals } from "../base/abort.js";
import { InputError, LightningError } from "../base/errors.js";
import type { Caller } from "./caller.js";
import type { ResponseHead } from "./protocol.js";

/** The part of `RequestInit` that matters here. */
export interface WorkerRequestInit {
  readonly method?: string;
  readonly headers?: RequestInit["headers"];
  readonly body?: RequestInit["body"];
  readonly signal?: AbortSignal | null;
}

/** Number of chunks that are computed before they are read. A short response is complete even if nobody reads it. */
const CHUNKS_AHEAD = 8;

/** Statuses of responses that must not have a body. */
const WITHOUT_BODY = [101, 204, 205, 304];

/**
 * Sends a request to the server in the worker. The body of the response is computed as it is read, and cancelling it ends the request.
 *
 * @throws {InputError} arguments that are no request; the signal's reason
 */
export async function respond(caller: Caller, input: Request | string | URL, init?: WorkerRequestInit): Promise<Response> {
  const request = requestOf(input, init);
  const { url, method } = request;
  const bytes = await request.arrayBuffer();
  const body = bytes.byteLength > 0 ? bytes : undefined;
  const control = new AbortController();
  followSignals(control, [request.signal]);
  const settings = { signal: control.signal, ahead: CHUNKS_AHEAD, ...(body && { transfer: [body] }) };
  const items = caller.stream("fetch", { url, method, headers: [...request.headers], body }, settings);
  const first = await items.next();
  if (first.done) throw new LightningError("worker: expected a response, got none");
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await items.next();
        if (done) controller.close();
        else controller.enqueue(value as Uint8Array);
      },
      cancel: (reason) => control.abort(reason),
    },
    { highWaterMark: 0 },
  );
  const { status, statusText, headers } = first.value as ResponseHead;
  if (!WITHOUT_BODY.includes(status)) return new Response(stream, { status, statusText, headers });
  await items.return();
  return new Response(null, { status, statusText, headers });
}

function requestOf(input: Request | string | URL, init: WorkerRequestInit | undefined): Request {
  try {
    return new Request(input, init as RequestInit);
  } catch (cause) {
    throw new InputError(`fetch: expected a request, got other arguments: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

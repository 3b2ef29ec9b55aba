// Server-sent events, as fast as they are read and no faster.

const encoder = /* @__PURE__ */ new TextEncoder();

/** Events that may lie ready for a reader who is slower than the model. */
const MAX_BUFFERED_EVENTS = 64;

/** One event. */
export function sseEvent(data: unknown): string {
  return `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

/**
 * A body of events. At most 64 wait in it: then no further one is asked for, until the reader has taken some.
 *
 * @param events an error that the client is to read is an event as well; what is thrown makes the body fail
 * @param onStall called when the reader has left it full for `stallMs`
 * @param onGone called when the reader has gone before the end
 */
export function sseBody(
  events: AsyncIterator<string>,
  { stallMs, onStall, onGone }: { stallMs: number; onStall: () => void; onGone: () => void },
): ReadableStream<Uint8Array> {
  let stall: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(sink) {
        clearTimeout(stall);
        const { done, value } = await events.next();
        if (done) return sink.close();
        sink.enqueue(encoder.encode(value));
        if (sink.desiredSize! <= 0) stall = setTimeout(onStall, stallMs);
      },
      cancel() {
        clearTimeout(stall);
        onGone();
      },
    },
    { highWaterMark: MAX_BUFFERED_EVENTS },
  );
}

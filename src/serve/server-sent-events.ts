const encoder = /* @__PURE__ */ new TextEncoder();

/** Maximum number of events that are computed ahead of a slow reader. */
const MAX_BUFFERED_EVENTS = 64;

/** Formats one event. */
export function sseEvent(data: unknown): string {
  return `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

interface SseBodyOptions {
  /** Time in milliseconds for which the reader may leave the buffer full. */
  readonly stallMs: number;
  /** Called when the buffer has been full for `stallMs`. */
  readonly onStall: () => void;
  /** Called when the reader cancels before the end. */
  readonly onCancel: () => void;
}

/**
 * Creates a response body of server-sent events. It buffers up to 64 events, and requests no further event while the buffer is full.
 *
 * @param events the events. An error for the client must be an event; an exception makes the body fail
 */
export function sseBody(events: AsyncIterator<string>, { stallMs, onStall, onCancel }: SseBodyOptions): ReadableStream<Uint8Array> {
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
        onCancel();
      },
    },
    { highWaterMark: MAX_BUFFERED_EVENTS },
  );
}

const encoder = /* @__PURE__ */ new TextEncoder();

/** Events that are computed ahead of a reader who is slower than the model. */
const MAX_BUFFERED_EVENTS = 64;

/** Formats one event. */
export function sseEvent(data: unknown): string {
  return `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

interface SseBodyOptions {
  /** Milliseconds for which the reader may leave the buffer full. */
  readonly stallMs: number;
  /** Called when the buffer has been full for `stallMs`. */
  readonly onStall: () => void;
  /** Called when the reader cancels before the end. */
  readonly onCancel: () => void;
}

/**
 * A response body of server-sent events. Up to 64 of them are buffered; while the buffer is full, no further event is requested.
 *
 * @param events an error for the client must be an event; an exception makes the body fail
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

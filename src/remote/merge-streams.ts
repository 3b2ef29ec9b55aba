import { followSignals } from "../base/abort.js";

/**
 * Yields the items of several streams in order of arrival. At most `width` streams run at a time. Each of them is at most one item ahead of
 * the consumer. If a stream fails, a signal aborts, or the consumer stops, all streams end.
 *
 * @param open starts stream i. The signal aborts when the stream is no longer needed
 */
export async function* mergeStreams<T>(
  count: number,
  width: number,
  open: (i: number, signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
  signals: readonly (AbortSignal | undefined)[] = [],
): AsyncGenerator<T, void, undefined> {
  const end = new AbortController();
  const unfollow = followSignals(end, signals);
  const running = new Set<AsyncGenerator<T, void, undefined>>();
  const ready: { stream: AsyncGenerator<T, void, undefined>; result: IteratorResult<T, void> | { error: unknown } }[] = [];
  let wake = () => {};

  const pull = (stream: AsyncGenerator<T, void, undefined>): void => {
    const arrive = (result: (typeof ready)[number]["result"]) => {
      ready.push({ stream, result });
      wake();
    };
    stream.next().then(arrive, (error: unknown) => arrive({ error }));
  };
  let opened = 0;
  const start = (): void => {
    const stream = open(opened++, end.signal);
    running.add(stream);
    pull(stream);
  };

  try {
    while (opened < Math.min(count, width)) start();
    while (running.size > 0) {
      if (ready.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const { stream, result } = ready.shift()!;
      if ("error" in result) throw result.error;
      if (result.done) {
        running.delete(stream);
        if (opened < count) start();
      } else {
        yield result.value;
        pull(stream);
      }
    }
  } finally {
    unfollow();
    end.abort();
    await Promise.allSettled([...running].map((stream) => stream.return()));
  }
}

/**
 * Aborts the controller when one of the signals aborts, with the same reason.
 *
 * Replaces `AbortSignal.any`, which in Node 20 leaves about 250 bytes per use on a long-lived signal. Here, nothing remains on the signals
 * after the returned function is called.
 *
 * @returns a function that removes the listeners
 */
export function followSignals(controller: AbortController, signals: readonly (AbortSignal | undefined)[]): () => void {
  const ends = signals.flatMap((signal) => {
    if (!signal) return [];
    const abort = () => controller.abort(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    return [() => signal.removeEventListener("abort", abort)];
  });
  return () => {
    for (const end of ends) end();
  };
}

/** Settles like `promise`, or rejects as soon as the signal aborts. */
export function rejectOnAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

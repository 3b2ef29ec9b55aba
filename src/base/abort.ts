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
    return [onAbort(signal, abort)];
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
    promise.then(resolve, reject).finally(onAbort(signal, abort));
  });
}

/** What is to be done when a signal aborts, and the only listener, which does it. */
interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/**
 * Calls a function when a signal aborts. All functions share one listener, because Node prints a warning at the eleventh listener of a
 * signal, and many episodes or requests may follow one signal.
 *
 * @returns a function that removes the function, and the listener after the last one
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let watch = watches.get(signal);
  if (!watch) {
    const callbacks = new Set<() => void>();
    const listener = () => {
      for (const callback of callbacks) callback();
    };
    watch = { callbacks, listener };
    watches.set(signal, watch);
    signal.addEventListener("abort", listener, { once: true });
  }
  const { callbacks, listener } = watch;
  const own = () => call();
  callbacks.add(own);
  return () => {
    callbacks.delete(own);
    if (callbacks.size > 0 || watches.get(signal)?.callbacks !== callbacks) return;
    signal.removeEventListener("abort", listener);
    watches.delete(signal);
  };
}

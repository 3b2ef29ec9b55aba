import { cut, inspect } from "./inspect.js";

interface Timer {
  readonly id: number;
  readonly at: number;
  readonly callback: () => void;
  readonly every: number | undefined;
}

/** Timers that fire in the order of their times, without waiting. */
export interface Timers {
  readonly functions: Readonly<Record<string, unknown>>;
  /** Fires the next timer. Returns false if there is none. */
  fire(onError: (error: unknown) => void): boolean;
}

/** Creates timers for an engine without a clock. */
export function createTimers(): Timers {
  let timers: Timer[] = [];
  let [now, last] = [0, 0];
  function start(callback: unknown, delay: unknown, args: readonly unknown[], repeated: boolean): number {
    if (typeof callback !== "function") throw new TypeError(`setTimeout: expected a function, got ${inspect(callback)}`);
    const ms = Math.max(1, Number(delay) || 0);
    timers.push({ id: ++last, at: now + ms, callback: () => callback(...args), every: repeated ? ms : undefined });
    return last;
  }
  const stop = (id: unknown) => {
    timers = timers.filter((timer) => timer.id !== id);
  };
  return {
    functions: {
      setTimeout: (callback: unknown, delay: unknown, ...args: unknown[]) => start(callback, delay, args, false),
      setInterval: (callback: unknown, delay: unknown, ...args: unknown[]) => start(callback, delay, args, true),
      setImmediate: (callback: unknown, ...args: unknown[]) => start(callback, 0, args, false),
      clearTimeout: stop,
      clearInterval: stop,
      clearImmediate: stop,
      queueMicrotask: (callback: () => void) => void Promise.resolve().then(callback),
    },
    fire(onError) {
      if (timers.length === 0) return false;
      const next = timers.reduce((first, timer) => (timer.at < first.at ? timer : first));
      timers = timers.filter((timer) => timer !== next);
      now = next.at;
      if (next.every !== undefined) timers.push({ ...next, at: now + next.every });
      try {
        next.callback();
      } catch (error) {
        onError(error);
      }
      return true;
    },
  };
}

/** Creates a console that prints lines. */
export function createConsole(print: (text: string) => void): Readonly<Record<string, unknown>> {
  const log = (...args: unknown[]) =>
    print(`${args.map((one) => (typeof one === "string" ? cut(one, 100_000) : inspect(one))).join(" ")}\n`);
  return { log, info: log, warn: log, error: log, debug: log, trace: log, dir: log };
}

import { Cache } from "./cache.js";

/**
 * Remembers the results of a function by its arguments. Rejected promises are forgotten, so that the next call tries again.
 *
 * Options: those of the cache, and `keyOf(...args)`, by default the JSON of the arguments.
 */
export function memoize(compute, { keyOf = (...args) => JSON.stringify(args), ...options }) {
  const cache = new Cache(options);

  function memoized(...args) {
    const key = keyOf(...args);
    if (cache.has(key)) return cache.get(key);
    const value = compute.apply(this, args);
    cache.set(key, value);
    if (typeof value?.then === "function") {
      value.then(undefined, () => {
        if (cache.peek(key) === value) cache.delete(key);
      });
    }
    return value;
  }

  memoized.cache = cache;
  return memoized;
}

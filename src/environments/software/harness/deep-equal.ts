/**
 * Compares two values as `node:assert` does: own enumerable properties, entries of Map and Set, contents of dates, expressions, errors and
 * buffers, with circular references.
 *
 * @param strict compares primitive values by `Object.is`, and prototypes; otherwise primitive values by `==`
 */
export function deepEqual(a: unknown, b: unknown, strict: boolean, pairs: readonly (readonly [object, object])[] = []): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) {
    const primitives = [a, b].every((value) => typeof value !== "function" && (typeof value !== "object" || value === null));
    return !strict && primitives && looselyEqual(a, b);
  }
  if (pairs.some(([x, y]) => x === a && y === b)) return true;
  const inner = [...pairs, [a, b] as const];
  const equal = (x: unknown, y: unknown) => deepEqual(x, y, strict, inner);
  if (kind(a) !== kind(b) || (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b))) return false;
  if (Array.isArray(a) !== Array.isArray(b) || (Array.isArray(a) && a.length !== (b as unknown[]).length)) return false;
  if (a instanceof Date && b instanceof Date && !Object.is(a.getTime(), b.getTime())) return false;
  if (a instanceof RegExp && b instanceof RegExp && (String(a) !== String(b) || a.lastIndex !== b.lastIndex)) return false;
  if (a instanceof Error && b instanceof Error && (a.name !== b.name || a.message !== b.message || !equal(a.cause, b.cause))) return false;
  if (isBoxed(a) && isBoxed(b) && !Object.is(a.valueOf(), b.valueOf())) return false;
  if (isBinary(a) && isBinary(b) && !equalBytes(a, b, strict)) return false;
  if (a instanceof Set && b instanceof Set && !equalSets(a, b, equal)) return false;
  if (a instanceof Map && b instanceof Map && !equalMaps(a, b, equal)) return false;
  if (a instanceof Promise || a instanceof WeakMap || a instanceof WeakSet) return false;
  const keys = enumerableKeys(a);
  if (keys.length !== enumerableKeys(b).length) return false;
  const [left, right] = [a as Record<PropertyKey, unknown>, b as Record<PropertyKey, unknown>];
  return keys.every((key) => Object.prototype.propertyIsEnumerable.call(b, key) && equal(left[key], right[key]));
}

/** Compares two values as the legacy mode of `node:assert` does. */
export function looselyEqual(a: unknown, b: unknown): boolean {
  // biome-ignore lint/suspicious/noDoubleEquals: the operator that this mode stands for
  return a == b || (Number.isNaN(a) && Number.isNaN(b));
}

/** The kind of built-in object, by its internal slots rather than by properties. */
function kind(value: object): string {
  for (const [name, type] of Object.entries({ Date, RegExp, Error, Map, Set, Promise, ArrayBuffer }))
    if (value instanceof type) return name;
  if (ArrayBuffer.isView(value)) return String((value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag]);
  return Array.isArray(value) ? "Array" : isBoxed(value) ? typeof value.valueOf() : "Object";
}

function isBoxed(value: object): boolean {
  return [Number, String, Boolean, BigInt, Symbol].some((type) => value instanceof type);
}

function isBinary(value: object): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function equalBytes(a: ArrayBuffer | ArrayBufferView, b: ArrayBuffer | ArrayBufferView, strict: boolean): boolean {
  if (a instanceof Float32Array || a instanceof Float64Array) {
    const other = b as Float32Array | Float64Array;
    return a.length === other.length && a.every((x, i) => Object.is(x, other[i]) || (!strict && x === other[i]));
  }
  const bytes = (x: ArrayBuffer | ArrayBufferView) =>
    ArrayBuffer.isView(x) ? new Uint8Array(x.buffer, x.byteOffset, x.byteLength) : new Uint8Array(x);
  const [left, right] = [bytes(a), bytes(b)];
  return left.length === right.length && left.every((x, i) => x === right[i]);
}

function equalSets(a: Set<unknown>, b: Set<unknown>, equal: (x: unknown, y: unknown) => boolean): boolean {
  if (a.size !== b.size) return false;
  const rest = new Set([...b].filter((value) => !a.has(value)));
  for (const value of a) {
    if (b.has(value)) continue;
    const match = [...rest].find((other) => equal(value, other));
    if (match === undefined && !rest.has(undefined)) return false;
    rest.delete(match);
  }
  return rest.size === 0;
}

function equalMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>, equal: (x: unknown, y: unknown) => boolean): boolean {
  if (a.size !== b.size) return false;
  const rest = new Map([...b].filter(([key]) => !a.has(key)));
  for (const [key, value] of a) {
    if (b.has(key)) {
      if (!equal(value, b.get(key))) return false;
      continue;
    }
    const match = [...rest].find(([otherKey, other]) => equal(key, otherKey) && equal(value, other));
    if (!match) return false;
    rest.delete(match[0]);
  }
  return rest.size === 0;
}

function enumerableKeys(value: object): PropertyKey[] {
  const isElement = ArrayBuffer.isView(value) ? (key: PropertyKey) => typeof key === "string" && /^\d+$/.test(key) : () => false;
  return Reflect.ownKeys(value).filter((key) => !isElement(key) && Object.prototype.propertyIsEnumerable.call(value, key));
}

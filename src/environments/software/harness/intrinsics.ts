/**
 * Freezes the language's built-in objects, before other code runs. No module can then change what `Array`, `Promise` or `JSON` do for the
 * tests and for the harness. `Date.now` and `Math.random` stay writable, because tests replace them.
 *
 * An assignment to a property that a frozen prototype has would fail, also on an object of one's own (`error.name = …`). The properties
 * that programs assign in this way are therefore turned into accessors that define the property on the object.
 */
export function freezeIntrinsics(): void {
  const roots: object[] = [];
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    const { value, writable } = Object.getOwnPropertyDescriptor(globalThis, name)!;
    if (!LANGUAGE_GLOBALS.has(name)) continue;
    if (isObject(value)) roots.push(value);
    if (writable) Object.defineProperty(globalThis, name, { writable: false, configurable: false });
  }
  // Objects that no global variable leads to.
  const hidden = [
    Object.getPrototypeOf(async () => {}),
    Object.getPrototypeOf(function* () {}),
    Object.getPrototypeOf(async function* () {}),
    Object.getPrototypeOf(Uint8Array),
    ...[[][Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ""[Symbol.iterator](), "".matchAll(/a/g)].map(
      (iterator) => Object.getPrototypeOf(iterator),
    ),
  ];
  const found = new Set<object>();
  for (const root of [...roots, ...hidden]) collect(root, found);
  for (const object of found) allowOverrides(object);
  for (const object of found) {
    if (object === Date || object === Math) freezeExcept(object, object === Date ? "now" : "random");
    else Object.freeze(object);
  }
}

/** Global variables that the language defines. Others, such as `process` of Node, are not frozen. */
const LANGUAGE_GLOBALS = new Set(
  (
    "AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date " +
    "DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array Float64Array Function Int16Array Int32Array Int8Array " +
    "InternalError Iterator JSON Map Math Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer " +
    "String SuppressedError Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef " +
    "WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval isFinite isNaN parseFloat parseInt unescape"
  ).split(" "),
);

/** Properties that programs assign on objects of their own although a built-in prototype has them. */
const OVERRIDDEN = new Set(["message", "name", "toJSON", "toLocaleString", "toString", "valueOf"]);

function isOverridden(object: object, key: PropertyKey): boolean {
  if (object === Object.prototype) return true;
  // Node's console looks for the constructor of other objects, and finds no accessor.
  if (key === "constructor") return object === Error.prototype || Object.getPrototypeOf(object) === Error.prototype;
  return OVERRIDDEN.has(String(key));
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** Adds an object and everything that its properties and prototypes lead to. */
function collect(object: object, found: Set<object>): void {
  if (found.has(object) || object === globalThis) return;
  found.add(object);
  const prototype = Object.getPrototypeOf(object);
  if (prototype) collect(prototype, found);
  for (const key of Reflect.ownKeys(object)) {
    const { value, get, set } = Object.getOwnPropertyDescriptor(object, key)!;
    for (const next of [value, get, set]) if (isObject(next)) collect(next, found);
  }
}

function allowOverrides(object: object): void {
  for (const key of Reflect.ownKeys(object)) {
    const { value, writable, configurable, enumerable } = Object.getOwnPropertyDescriptor(object, key)!;
    if (!writable || !configurable || !isOverridden(object, key)) continue;
    // Functions have these properties of their own, which are no defaults for others.
    if (typeof object === "function" && key !== "toString") continue;
    const get = () => value;
    const set = function (this: unknown, next: unknown) {
      if (!isObject(this) || this === object) throw new TypeError(`${String(key)}: expected an object of one's own, got a built-in object`);
      Object.defineProperty(this, key, { value: next, writable: true, configurable: true, enumerable: true });
    };
    Object.defineProperty(object, key, { get: Object.freeze(get), set: Object.freeze(set), configurable: false, enumerable });
  }
}

function freezeExcept(object: object, kept: string): void {
  Object.preventExtensions(object);
  for (const key of Reflect.ownKeys(object)) {
    if (key === kept) continue;
    const writable = Object.getOwnPropertyDescriptor(object, key)!.writable === true;
    Object.defineProperty(object, key, { configurable: false, ...(writable && { writable: false }) });
  }
}

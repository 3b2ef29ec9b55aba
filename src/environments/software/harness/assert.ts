import { deepEqual, looselyEqual } from "./deep-equal.js";
import { inspect } from "./inspect.js";

/** The error of an assertion that does not hold. */
export class AssertionError extends Error {
  override name = "AssertionError";
  readonly code = "ERR_ASSERTION";
  readonly actual: unknown;
  readonly expected: unknown;
  readonly operator: string | undefined;

  constructor(options: { message?: string; actual?: unknown; expected?: unknown; operator?: string } = {}) {
    super(options.message ?? `expected ${inspect(options.expected)}, got ${inspect(options.actual)}`);
    this.actual = options.actual;
    this.expected = options.expected;
    this.operator = options.operator;
  }
}

type Message = string | Error | undefined;
type Assertion = (...args: never[]) => unknown;

/** Throws an assertion's error, or the error or message that the test gave. */
function reject(given: Message, operator: string, message: string, actual?: unknown, expected?: unknown): never {
  if (given instanceof Error) throw given;
  throw new AssertionError({ message: given === undefined ? message : String(given), actual, expected, operator });
}

/** What `throws` and `rejects` accept: an error class, an expression for the message, properties, or a function that returns true. */
type Expectation = ((...args: never[]) => unknown) | RegExp | object | string | undefined;

function checkError(operator: string, error: unknown, expectation: Expectation, message: Message): void {
  if (expectation === undefined || typeof expectation === "string") return;
  const fail = (expected: string): never =>
    reject(message, operator, `${operator}: expected ${expected}, got ${inspect(error)}`, error, expectation);
  if (expectation instanceof RegExp) {
    if (!expectation.test(String(error))) fail(`an error that matches ${expectation}`);
  } else if (typeof expectation === "function") {
    const type = expectation as unknown as { prototype?: unknown; name: string } & ((error: unknown) => unknown);
    if (type.prototype !== undefined && error instanceof (type as unknown as new () => unknown)) return;
    if (type === (Error as unknown) || Object.prototype.isPrototypeOf.call(Error, type)) fail(`an error of class ${type.name}`);
    if (type(error) !== true) fail("an error that the function accepts");
  } else {
    const keys: PropertyKey[] =
      expectation instanceof Error
        ? [...Reflect.ownKeys(expectation).filter((key) => key !== "stack"), "name", "message"]
        : Reflect.ownKeys(expectation);
    const got = Object(error) as Record<PropertyKey, unknown>;
    for (const key of keys) {
      const expected = (expectation as Record<PropertyKey, unknown>)[key];
      const fits =
        expected instanceof RegExp && typeof got[key] === "string"
          ? expected.test(got[key])
          : key in got && deepEqual(got[key], expected, true);
      if (!fits) fail(`an error with ${String(key)} ${inspect(expected)}`);
    }
  }
}

/** Creates the functions of `node:assert/strict`, or those of `node:assert` if not strict. All are frozen. */
export function createAssert(strict: boolean): Readonly<Record<string, unknown>> & ((value: unknown, message?: Message) => void) {
  const compare = (operator: string, holds: boolean, word: string, actual: unknown, expected: unknown, message: Message) => {
    if (!holds) reject(message, operator, `${operator}: expected ${word}${inspect(expected)}, got ${inspect(actual)}`, actual, expected);
  };
  const same = strict ? Object.is : looselyEqual;

  function ok(value: unknown, message?: Message): void {
    if (!value) reject(message, "ok", `ok: expected a true value, got ${inspect(value)}`, value, true);
  }

  function caught(block: () => unknown): { error: unknown } | undefined {
    try {
      block();
    } catch (error) {
      return { error };
    }
    return undefined;
  }

  async function caughtLater(promise: Promise<unknown> | (() => Promise<unknown>)): Promise<{ error: unknown } | undefined> {
    try {
      await (typeof promise === "function" ? promise() : promise);
    } catch (error) {
      return { error };
    }
    return undefined;
  }

  const noError = (operator: string, expectation: Expectation, message: Message): never =>
    reject(typeof expectation === "string" ? expectation : message, operator, `${operator}: expected an error, got none`);

  const functions: Record<string, Assertion> = {
    ok,
    equal: (a: unknown, b: unknown, m?: Message) => compare("equal", same(a, b), "", a, b, m),
    notEqual: (a: unknown, b: unknown, m?: Message) => compare("notEqual", !same(a, b), "not ", a, b, m),
    strictEqual: (a: unknown, b: unknown, m?: Message) => compare("strictEqual", Object.is(a, b), "", a, b, m),
    notStrictEqual: (a: unknown, b: unknown, m?: Message) => compare("notStrictEqual", !Object.is(a, b), "not ", a, b, m),
    deepEqual: (a: unknown, b: unknown, m?: Message) => compare("deepEqual", deepEqual(a, b, strict), "", a, b, m),
    notDeepEqual: (a: unknown, b: unknown, m?: Message) => compare("notDeepEqual", !deepEqual(a, b, strict), "not ", a, b, m),
    deepStrictEqual: (a: unknown, b: unknown, m?: Message) => compare("deepStrictEqual", deepEqual(a, b, true), "", a, b, m),
    notDeepStrictEqual: (a: unknown, b: unknown, m?: Message) => compare("notDeepStrictEqual", !deepEqual(a, b, true), "not ", a, b, m),
    match: (text: unknown, expression: RegExp, m?: Message) =>
      compare("match", typeof text === "string" && expression.test(text), "a match of ", text, expression, m),
    doesNotMatch: (text: unknown, expression: RegExp, m?: Message) =>
      compare("doesNotMatch", !(typeof text === "string" && expression.test(text)), "no match of ", text, expression, m),
    throws(block: () => unknown, expectation?: Expectation, message?: Message) {
      const thrown = caught(block) ?? noError("throws", expectation, message);
      checkError("throws", thrown.error, expectation, message);
    },
    doesNotThrow(block: () => unknown, message?: Message) {
      const thrown = caught(block);
      if (thrown) reject(message, "doesNotThrow", `doesNotThrow: expected no error, got ${inspect(thrown.error)}`, thrown.error);
    },
    async rejects(promise: Promise<unknown>, expectation?: Expectation, message?: Message) {
      const thrown = (await caughtLater(promise)) ?? noError("rejects", expectation, message);
      checkError("rejects", thrown.error, expectation, message);
    },
    async doesNotReject(promise: Promise<unknown>, message?: Message) {
      const thrown = await caughtLater(promise);
      if (thrown) reject(message, "doesNotReject", `doesNotReject: expected no error, got ${inspect(thrown.error)}`, thrown.error);
    },
    fail: (message?: Message) => reject(message, "fail", "failed"),
    ifError(error: unknown) {
      if (error !== undefined && error !== null) reject(undefined, "ifError", `ifError: expected no error, got ${inspect(error)}`, error);
    },
  };
  for (const one of [...Object.values(functions), AssertionError, AssertionError.prototype]) Object.freeze(one);
  const assert = (value: unknown, message?: Message) => ok(value, message);
  return Object.assign(assert, functions, { AssertionError });
}

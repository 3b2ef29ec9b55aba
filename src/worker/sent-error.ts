import * as errors from "../base/errors.js";
import { printed } from "../base/printed.js";

/** An error as it is sent between threads. Structured cloning would lose the classes and fields of this library's errors. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Further fields, such as the status of a `RemoteError`. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause: SentError | undefined;
}

/** Maximum number of causes of an error that are sent. */
const MAX_CAUSES = 8;

export function sendError(error: unknown, causes = MAX_CAUSES): SentError {
  if (!(error instanceof Error)) return { name: "Error", message: printed(error), stack: undefined, fields: {}, cause: undefined };
  const { name, message, stack, cause } = error;
  const fields = Object.entries(error).filter(([key, value]) => key !== "name" && ["string", "number", "boolean"].includes(typeof value));
  return {
    ...{ name, message, stack, fields: Object.fromEntries(fields) },
    cause: cause === undefined || causes === 0 ? undefined : sendError(cause, causes - 1),
  };
}

/** Creates the error again: of the same class of this library, a DOMException, an error of the language, or an `Error` of this name. */
export function receiveError({ name, message, stack, fields, cause }: SentError): Error {
  const error = createError(name, message);
  if (cause) Object.defineProperty(error, "cause", { value: receiveError(cause), configurable: true, writable: true });
  // The stack shows where the worker failed.
  if (stack !== undefined) Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
  return Object.assign(error, fields);
}

const libraryErrors = new Map<string, unknown>(Object.entries(errors));

type ErrorClass = new (message: string) => Error;

function createError(name: string, message: string): Error {
  const isErrorClass = (x: unknown): x is ErrorClass =>
    typeof x === "function" && (x as { prototype?: unknown }).prototype instanceof Error;
  const own = libraryErrors.get(name);
  if (isErrorClass(own)) return new own(message);
  const standard: unknown = globalThis[name as keyof typeof globalThis];
  if (isErrorClass(standard) && standard !== DOMException) return new standard(message);
  if (/^(Abort|Timeout|DataClone|QuotaExceeded|Network|NotReadable|NotFound|Security)Error$/.test(name))
    return new DOMException(message, name);
  return Object.assign(new Error(message), name !== "Error" && { name });
}

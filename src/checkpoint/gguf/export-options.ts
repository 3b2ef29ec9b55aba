import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { callback, flag, isObjectLike, parseOptions, signal, text } from "../../base/options.js";
import type { CacheOptions } from "../../io/downloads/store.js";
import { retryOptionSchemas } from "../../io/retry-options.js";
import { type ExportOptions, ggufDType } from "../save-options.js";

const schema = v.strictObject({
  dtype: v.optional(ggufDType),
  onProgress: v.optional(callback<NonNullable<ExportOptions["onProgress"]>>()),
  onWarning: v.optional(callback<(message: string) => void>()),
  revision: v.optional(text),
  localFilesOnly: v.optional(flag),
  cache: v.optional(
    v.custom<boolean | CacheOptions>((x) => typeof x === "boolean" || isObjectLike(x), "true, false or options of a cache"),
  ),
  ...retryOptionSchemas,
  signal: v.optional(signal),
});

/** Checks options of `exportGguf`. @throws {InputError} invalid or unknown options */
export function parseExportOptions(options: ExportOptions) {
  return parseOptions(schema, options, "exportGguf");
}

/** Checks the path of a GGUF file. @throws {InputError} anything but a path that ends with `.gguf` */
export function expectGgufPath(where: string, path: unknown): asserts path is string {
  if (typeof path === "string" && /[^\\/]\.gguf$/i.test(path)) return;
  throw new InputError(`${where}: expected the path of a .gguf file, got ${typeof path === "string" ? JSON.stringify(path) : typeof path}`);
}

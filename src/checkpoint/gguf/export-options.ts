import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { callback, parseOptions } from "../../base/options.js";
import { openOptionSchemas } from "../../io/open-options.js";
import { type ExportOptions, ggufDType } from "../save-options.js";

const schema = v.strictObject({
  dtype: v.optional(ggufDType),
  onProgress: v.optional(callback<NonNullable<ExportOptions["onProgress"]>>()),
  onWarning: v.optional(callback<(message: string) => void>()),
  ...openOptionSchemas,
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

import * as v from "valibot";
import { flag, isObjectLike, signal, text } from "../base/options.js";
import type { CacheOptions } from "./downloads/store.js";
import { retryOptionSchemas } from "./retry-options.js";

/** Schemas of the options that say how a checkpoint's files are opened. */
export const openOptionSchemas = {
  revision: v.optional(text),
  localFilesOnly: v.optional(flag),
  cache: v.optional(
    v.custom<boolean | CacheOptions>((x) => typeof x === "boolean" || isObjectLike(x), "true, false or options of a cache"),
  ),
  ...retryOptionSchemas,
  signal: v.optional(signal),
};

import * as v from "valibot";
import { number, oneOf } from "../base/options.js";
import { MAX_THREADS } from "./kernel-dispatch.js";

export const threadNumber = number(`an integer within [1, ${MAX_THREADS}]`, (x) => Number.isInteger(x) && x >= 1 && x <= MAX_THREADS);

/** The option `threads`: a number, or `"auto"` for one per processor. */
export const threadsOption = v.union([v.literal("auto"), threadNumber], `"auto" or ${threadNumber.message}`);

/** The option `build`, which selects the kernels to run. */
export const buildOption = oneOf("auto", "simd", "relaxed", "debug");

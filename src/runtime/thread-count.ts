import { is } from "valibot";
import { cannotShareReason, canShare, processors } from "#threads";
import { InputError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import { threadNumber } from "./options.js";

/** Maximum number of threads for `"auto"`. The gain of more threads has not been measured. */
const MAX_AUTO_THREADS = 8;

/**
 * Returns the number of threads that compute, including the calling thread. If threads cannot share memory here, returns 1 and warns.
 *
 * @param shared whether another thread fills the memory. If so, `"auto"` leaves a processor to it
 * @throws {InputError} an invalid number of threads
 */
export function threadCount(threads: number | "auto", shared: boolean, onWarning: (message: string) => void): number {
  if (threads !== "auto" && !is(threadNumber, threads)) {
    const got = typeof threads === "string" ? JSON.stringify(threads) : String(threads);
    throw new InputError(`threads: expected "auto" or ${threadNumber.message}, got ${printed(got)}`);
  }
  const free = Math.max(1, shared ? processors - 1 : processors);
  const count = threads === "auto" ? Math.min(free, MAX_AUTO_THREADS) : threads;
  if (count > 1 && !canShare) {
    onWarning(`threads: computing on one: ${cannotShareReason}`);
    return 1;
  }
  return count;
}

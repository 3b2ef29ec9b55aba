// Versions of files on a server. A version consists of ETag, date and size, as far as the server sends them.

import { type HttpExchange, RELOAD_REMEDY } from "./http-exchange.js";
import { TransferError } from "./retry.js";

/** Returns the version of a file according to a response: ETag, date and size, one per line. Empty if the response has none of them. */
export function responseVersion({ status, headers, contentEncoding }: HttpExchange): string {
  const size =
    status === 206 ? /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] : contentEncoding ? undefined : headers.get("content-length");
  const etag = headers.get("etag")?.replace(/^W\//, "") ?? "";
  const version = [etag, headers.get("last-modified") ?? "", size ?? ""];
  return version.some(Boolean) ? version.join("\n") : "";
}

/**
 * Checks that a response belongs to the known version of a file.
 *
 * @returns the known version or, if none is known, the version of the response
 * @throws {TransferError} a response of another version
 */
export function expectSameVersion(known: string, exchange: HttpExchange): string {
  const now = responseVersion(exchange);
  if (contradict(known, now)) throw new TransferError("the file has changed since it was opened", { remedy: RELOAD_REMEDY });
  return known || now;
}

/** Returns whether two versions contradict each other. Dates are compared only if an ETag is missing. */
function contradict(known: string, now: string): boolean {
  if (!known || !now) return false;
  const [[etag, date, size], [etagNow, dateNow, sizeNow]] = [known, now].map((version) => version.split("\n")) as [string[], string[]];
  const differ = (a?: string, b?: string) => Boolean(a && b && a !== b);
  return (etag && etagNow ? etag !== etagNow : differ(date, dateNow)) || differ(size, sizeNow);
}

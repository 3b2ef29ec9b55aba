// Downloads byte ranges, and resumes where a failed request broke off. Used for URLs, the hub, and by the reader thread.

import { HttpExchange } from "./http-exchange.js";
import type { Endpoint } from "./mask-secrets.js";
import { expectSameVersion } from "./response-version.js";
import { RetryCounter, type RetryPolicy, TransferError } from "./retry.js";

const FAULTY_SERVER_REMEDY = "the server does not follow HTTP: download the checkpoint, and load it from its directory";

/** A file on a server. */
export interface RemoteFile extends Endpoint {
  /** The known version of the file (see {@link responseVersion}). Empty if it is unknown. */
  readonly version: string;
  /**
   * Whether the server may send the whole file instead of a range. If it may, the bytes before the range are skipped. With `"expected"`,
   * the range header is sent only when a download resumes.
   */
  readonly fullResponse: "refused" | "accepted" | "expected";
}

/** Returns the endpoint of a file below a base URL that ends in a slash. The query of the base URL is kept. */
export function fileEndpoint({ url, headers }: Endpoint, name: string): Endpoint {
  const file = new URL(url);
  file.pathname += name.split("/").map(encodeURIComponent).join("/");
  return { url: file, headers };
}

/**
 * Downloads bytes `begin` to `end` (exclusive) of a file, in chunks as they arrive. A failed request is repeated from where it broke off.
 *
 * @param end the file's size if the server sends whole files
 * @throws {TransferError} an error status, a failure after the last retry, a file that has changed, or more bytes than requested
 */
export async function* downloadRange(
  file: RemoteFile,
  begin: number,
  end: number,
  retryPolicy: RetryPolicy,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const retries = new RetryCounter(retryPolicy, signal);
  let { version } = file;
  for (let at = begin; at < end; ) {
    const from = at;
    let exchange: HttpExchange | undefined;
    try {
      exchange = await HttpExchange.open(file, { headers: rangeHeaders(file, at, end) }, retryPolicy, signal);
      const stop = responseEnd(exchange, at, end, file);
      version = expectSameVersion(version, exchange);
      let skip = exchange.status === 200 ? at : 0;
      for (let chunk = await exchange.nextChunk(); chunk; chunk = await exchange.nextChunk()) {
        const skipped = Math.min(skip, chunk.byteLength);
        skip -= skipped;
        const bytes = chunk.subarray(skipped);
        if (bytes.byteLength > stop - at)
          throw new TransferError(`the server sent more than the requested ${stop - from} bytes`, { remedy: FAULTY_SERVER_REMEDY });
        at += bytes.byteLength;
        if (bytes.byteLength > 0) yield bytes;
      }
      if (at === from || at < stop) {
        throw new TransferError(`the server's answer ended after ${at - begin} of ${end - begin} bytes`, { transient: true });
      }
    } catch (error) {
      signal?.throwIfAborted();
      // All bytes have arrived; only the end of the response is missing.
      if (at === end && error instanceof TransferError && error.details.transient) return;
      await retries.waitBeforeRetry(error, at - from);
    } finally {
      exchange?.close();
    }
  }
}

/** Returns headers that ask for uncompressed bytes. `fetch` itself adds `Accept-Encoding: identity` to a request with a range. */
function rangeHeaders({ fullResponse }: RemoteFile, at: number, end: number): Record<string, string> {
  return fullResponse === "expected" && at === 0 ? { "Accept-Encoding": "identity" } : { Range: `bytes=${at}-${end - 1}` };
}

/**
 * Returns the end of the bytes in a response that begins at `at`. @throws {TransferError} an error status, or a range other than requested
 */
function responseEnd(exchange: HttpExchange, at: number, end: number, { fullResponse }: RemoteFile): number {
  const { status, headers, contentEncoding } = exchange;
  if (status === 200) {
    if (fullResponse !== "refused") return end;
    throw new TransferError("the server does not support Range requests", {
      status,
      remedy: "download the checkpoint, and load it from its directory",
    });
  }
  if (status !== 206) throw exchange.statusError();
  if (contentEncoding) throw compressedRangeError(contentEncoding);
  const range = headers.get("content-range");
  if (range === null) return end;
  const [, first, last] = /^bytes (\d+)-(\d+)\/(?:\d+|\*)$/.exec(range) ?? [];
  if (Number(first) === at && Number(last) >= at && Number(last) < end) return Number(last) + 1;
  throw new TransferError(`expected bytes ${at}-${end - 1}, the server sent ${range.slice(0, 80)}`, { remedy: FAULTY_SERVER_REMEDY });
}

/** Creates the error for a range of a compressed file, whose bytes differ from those of the file itself. */
export function compressedRangeError(encoding: string): TransferError {
  return new TransferError(`the server compresses its answers to Range requests (Content-Encoding: ${encoding.slice(0, 40)})`, {
    remedy: "serve the files without compression",
  });
}

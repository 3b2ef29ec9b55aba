// Files from servers: requests with a stall limit, retries, resumption by Range, and bounded bodies. Used by URLs, the hub and the thread that reads.

import { CheckpointError } from "../base/errors.js";
import { isTransientStatus, parseRetryAfter, RetryCounter, type RetryPolicy, TransferError } from "./retry.js";
import { type Endpoint, type MaskSecrets, messageWithCauses, secretMasker, withSecretsMasked } from "./secrets.js";

const FAULTY_SERVER_REMEDY = "the server does not follow HTTP: download the checkpoint, and load it from its directory";
const RELOAD_REMEDY = "load the model again";

/** One request and its answer. Both fail if nothing arrives for `stallMs`; time that the caller spends between two pieces does not count. */
export class HttpExchange {
  private readonly controller = new AbortController();
  private readonly maskSecrets: MaskSecrets;
  private response: Response | undefined;
  private reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  private readonly follow = () => this.controller.abort(this.signal?.reason);

  private constructor(
    address: Endpoint,
    private readonly stallMs: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.maskSecrets = secretMasker(address);
    signal?.addEventListener("abort", this.follow, { once: true });
  }

  /** Sends a request and waits for the headers of its answer. */
  static async open(
    address: Endpoint,
    { headers, ...init }: { method?: string; headers?: Record<string, string> },
    { stallMs }: RetryPolicy,
    signal?: AbortSignal,
  ): Promise<HttpExchange> {
    signal?.throwIfAborted();
    const exchange = new HttpExchange(address, stallMs, signal);
    try {
      const all = { ...address.headers, ...headers };
      exchange.response = await exchange.withStallLimit(fetch(address.url, { ...init, headers: all, signal: exchange.controller.signal }));
      exchange.reader = exchange.response.body?.getReader();
      return exchange;
    } catch (error) {
      exchange.close();
      throw error;
    }
  }

  get status(): number {
    return this.response!.status;
  }

  get headers(): Headers {
    return this.response!.headers;
  }

  get url(): string {
    return this.response!.url;
  }

  /** `Content-Encoding`, if the body is not sent as it is. */
  get contentEncoding(): string | undefined {
    const encoding = this.headers.get("content-encoding")?.trim();
    return encoding && encoding.toLowerCase() !== "identity" ? encoding : undefined;
  }

  /** The next bytes of the body, undefined at its end. */
  async nextChunk(): Promise<Uint8Array | undefined> {
    const part = this.reader && (await this.withStallLimit(this.reader.read()));
    return part?.value;
  }

  /** Closes the connection if the body has not been read to its end. */
  close(): void {
    this.signal?.removeEventListener("abort", this.follow);
    this.controller.abort();
  }

  /** The error for a status that is neither 200 nor 206. */
  statusError(): TransferError {
    const { status } = this;
    const remedy =
      status === 401 || status === 403
        ? "check user name, password or token; a signed URL may have expired"
        : status === 416
          ? `the file is shorter than when it was opened: ${RELOAD_REMEDY}`
          : undefined;
    const retryAfterMs = parseRetryAfter(this.headers.get("retry-after"));
    return new TransferError(`HTTP status ${status}`, { status, transient: isTransientStatus(status), retryAfterMs, remedy });
  }

  private async withStallLimit<T>(work: Promise<T>): Promise<T> {
    const { stallMs } = this;
    const stalled = () => this.controller.abort(new TransferError(`no byte for ${stallMs / 1000} s`, { transient: true, silent: true }));
    // Bytes that came while this thread was busy are seen before the second timer.
    let timer = setTimeout(() => {
      timer = setTimeout(stalled, 1);
    }, stallMs);
    try {
      return await work;
    } catch (cause) {
      this.signal?.throwIfAborted();
      if (this.controller.signal.aborted) throw this.controller.signal.reason;
      throw new TransferError(this.maskSecrets(messageWithCauses(cause)), {
        transient: true,
        cause: withSecretsMasked(cause, this.maskSecrets),
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A file on a server. */
export interface RemoteFile extends Endpoint {
  /** What is known of its version, see {@link responseVersion}; empty if nothing is. */
  readonly version: string;
  /** Whether the server may send the whole file in place of a range: then the bytes before it are skipped. `"expected"`: a range is asked for to resume only. */
  readonly fullResponse: "refused" | "accepted" | "expected";
}

/** A file below a base that ends in a slash; its query goes along. */
export function fileEndpoint({ url, headers }: Endpoint, name: string): Endpoint {
  const file = new URL(url);
  file.pathname += name.split("/").map(encodeURIComponent).join("/");
  return { url: file, headers };
}

/**
 * Bytes `begin` to `end` of a file, in pieces as they arrive. A request that fails is made again from where it broke off.
 *
 * @param end of a file that is sent whole: its size
 * @throws {TransferError} a refusal, the last of several failures, a file that changed meanwhile, or more bytes than were asked for
 */
export async function* downloadRange(
  file: RemoteFile,
  begin: number,
  end: number,
  patience: RetryPolicy,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const tries = new RetryCounter(patience, signal);
  let { version } = file;
  for (let at = begin; at < end; ) {
    const from = at;
    let exchange: HttpExchange | undefined;
    try {
      exchange = await HttpExchange.open(file, { headers: rangeHeaders(file, at, end) }, patience, signal);
      const stop = responseEnd(exchange, at, end, file);
      version = expectSameVersion(version, exchange);
      let skip = exchange.status === 200 ? at : 0;
      for (let part = await exchange.nextChunk(); part; part = await exchange.nextChunk()) {
        const skipped = Math.min(skip, part.byteLength);
        skip -= skipped;
        const bytes = part.subarray(skipped);
        if (bytes.byteLength > stop - at)
          throw new TransferError(`the server sent more than the ${stop - from} bytes asked for`, { remedy: FAULTY_SERVER_REMEDY });
        at += bytes.byteLength;
        if (bytes.byteLength > 0) yield bytes;
      }
      if (at === from || at < stop) {
        throw new TransferError(`the server's answer ended after ${at - begin} of ${end - begin} bytes`, { transient: true });
      }
    } catch (error) {
      signal?.throwIfAborted();
      // All bytes are here, and only the end of the answer is missing.
      if (at === end && error instanceof TransferError && error.details.transient) return;
      await tries.waitBeforeRetry(error, at - from);
    } finally {
      exchange?.close();
    }
  }
}

/** Bytes are asked for as they are, uncompressed; `fetch` adds that itself to requests for a range. */
function rangeHeaders({ fullResponse }: RemoteFile, at: number, end: number): Record<string, string> {
  return fullResponse === "expected" && at === 0 ? { "Accept-Encoding": "identity" } : { Range: `bytes=${at}-${end - 1}` };
}

/** Where the bytes of an answer end that begins at `at`. @throws {TransferError} another status, or other bytes than those asked for */
function responseEnd(exchange: HttpExchange, at: number, end: number, { fullResponse }: RemoteFile): number {
  const { status, headers, contentEncoding } = exchange;
  if (status === 200) {
    if (fullResponse !== "refused") return end;
    throw new TransferError("the server knows no ranges", {
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

/** The error for a range of compressed bytes: it is a range of other bytes than the file's. */
export function compressedRangeError(encoding: string): TransferError {
  return new TransferError(`the server compresses its answers to Range requests (Content-Encoding: ${encoding.slice(0, 40)})`, {
    remedy: "serve the files without compression",
  });
}

/** What tells a version of a file from others: ETag, date and size, as far as the server says them. */
export function responseVersion({ status, headers, contentEncoding }: HttpExchange): string {
  const total =
    status === 206 ? /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] : contentEncoding ? undefined : headers.get("content-length");
  const etag = headers.get("etag")?.replace(/^W\//, "") ?? "";
  const version = [etag, headers.get("last-modified") ?? "", total ?? ""];
  return version.some(Boolean) ? version.join("\n") : "";
}

/** The version that is known, or that of the answer if none is. @throws {TransferError} an answer of another version */
export function expectSameVersion(known: string, exchange: HttpExchange): string {
  const now = responseVersion(exchange);
  if (contradict(known, now)) throw new TransferError("it has changed since it was opened", { remedy: RELOAD_REMEDY });
  return known || now;
}

/** Whether two versions contradict each other. Dates count where there are no ETags. */
function contradict(known: string, now: string): boolean {
  if (!known || !now) return false;
  const [[etag, date, total], [etagNow, dateNow, totalNow]] = [known, now].map((version) => version.split("\n")) as [string[], string[]];
  const contradicts = (a?: string, b?: string) => Boolean(a && b && a !== b);
  return (etag && etagNow ? etag !== etagNow : contradicts(date, dateNow)) || contradicts(total, totalNow);
}

/** All of a body that may have at most `limit` bytes, and ends the exchange. */
export async function readBody(exchange: HttpExchange, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const body = new BodyBuffer(exchange);
  try {
    while (await body.readMore()) {
      if (body.byteLength > limit)
        throw new TransferError(`the server sent more than ${limit} bytes`, { remedy: "is this the right address?" });
    }
    return body.bytes();
  } finally {
    exchange.close();
  }
}

/** A body that is collected as it arrives, in memory that grows with it. */
export class BodyBuffer {
  byteLength = 0;
  private memory = new Uint8Array(1 << 16);

  constructor(private readonly exchange: HttpExchange) {}

  /** Waits for the next piece. @returns whether there was one */
  async readMore(): Promise<boolean> {
    const part = await this.exchange.nextChunk();
    if (!part) return false;
    const end = this.byteLength + part.byteLength;
    if (end > this.memory.byteLength) {
      const larger = new Uint8Array(Math.max(2 * this.memory.byteLength, end));
      larger.set(this.bytes());
      this.memory = larger;
    }
    this.memory.set(part, this.byteLength);
    this.byteLength = end;
    return true;
  }

  /** What has arrived: a view, valid until more arrives. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.memory.subarray(0, this.byteLength);
  }
}

/** What `body` gives. @throws {CheckpointError} with `where` in place of a {@link TransferError}; the signal's reason */
export async function withReadErrors<T>(where: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await body();
  } catch (cause) {
    signal?.throwIfAborted();
    if (!(cause instanceof TransferError)) throw cause;
    throw new CheckpointError(`${where}: cannot be read: ${cause.message}`, { cause });
  }
}

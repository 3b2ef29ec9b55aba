// HTTP requests with a time limit for silent servers, and response bodies of limited size.

import { CheckpointError } from "../base/errors.js";
import { type Endpoint, type MaskSecrets, messageWithCauses, secretMasker, withSecretsMasked } from "./mask-secrets.js";
import { isTransientStatus, parseRetryAfter, type RetryPolicy, TransferError } from "./retry.js";

/** Remedy for a file that has changed on the server. */
export const RELOAD_REMEDY = "load the model again";

/**
 * One request and its response. Either fails if no byte arrives for `stallMs`. The time that the caller spends between two chunks does not
 * count.
 */
export class HttpExchange {
  private readonly controller = new AbortController();
  private readonly maskSecrets: MaskSecrets;
  private response: Response | undefined;
  private reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  private readonly abort = () => this.controller.abort(this.signal?.reason);

  private constructor(
    endpoint: Endpoint,
    private readonly stallMs: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.maskSecrets = secretMasker(endpoint);
    signal?.addEventListener("abort", this.abort, { once: true });
  }

  /** Sends a request and waits for the headers of the response. */
  static async open(
    endpoint: Endpoint,
    { headers, ...init }: { method?: string; headers?: Record<string, string> },
    { stallMs }: RetryPolicy,
    signal?: AbortSignal,
  ): Promise<HttpExchange> {
    signal?.throwIfAborted();
    const exchange = new HttpExchange(endpoint, stallMs, signal);
    try {
      const allHeaders = { ...endpoint.headers, ...headers };
      const request = fetch(endpoint.url, { ...init, headers: allHeaders, signal: exchange.controller.signal });
      exchange.response = await exchange.withStallLimit(request);
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

  /** Value of the header `Content-Encoding`, if the body is encoded. */
  get contentEncoding(): string | undefined {
    const encoding = this.headers.get("content-encoding")?.trim();
    return encoding && encoding.toLowerCase() !== "identity" ? encoding : undefined;
  }

  /** Returns the next bytes of the body, or undefined at its end. */
  async nextChunk(): Promise<Uint8Array | undefined> {
    const result = this.reader && (await this.withStallLimit(this.reader.read()));
    return result?.value;
  }

  /** Closes the connection, unless the body has been read to its end. */
  close(): void {
    this.signal?.removeEventListener("abort", this.abort);
    this.controller.abort();
  }

  /** Creates the error for a status other than 200 and 206. */
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
    // If this thread was busy for a long time, bytes may have arrived in the meantime. The second timer lets them be processed first.
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

/** Reads a whole body of at most `limit` bytes and closes the exchange. */
export async function readBody(exchange: HttpExchange, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const body = new BodyBuffer(exchange);
  try {
    while (await body.readMore()) {
      if (body.byteLength > limit)
        throw new TransferError(`the server sent more than ${limit} bytes`, { remedy: "check that the address is right" });
    }
    return body.bytes();
  } finally {
    exchange.close();
  }
}

/** Collects a body as it arrives, in a growing buffer. */
export class BodyBuffer {
  byteLength = 0;
  private buffer = new Uint8Array(1 << 16);

  constructor(private readonly exchange: HttpExchange) {}

  /** Waits for the next chunk. @returns false at the end of the body */
  async readMore(): Promise<boolean> {
    const chunk = await this.exchange.nextChunk();
    if (!chunk) return false;
    const end = this.byteLength + chunk.byteLength;
    if (end > this.buffer.byteLength) {
      const larger = new Uint8Array(Math.max(2 * this.buffer.byteLength, end));
      larger.set(this.bytes());
      this.buffer = larger;
    }
    this.buffer.set(chunk, this.byteLength);
    this.byteLength = end;
    return true;
  }

  /** Returns a view of the bytes that have arrived. It is valid until the next `readMore`. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.byteLength);
  }
}

/**
 * Runs `body` and converts a {@link TransferError} to a CheckpointError.
 *
 * @throws {CheckpointError} whose message begins with `where`; the signal's reason
 */
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

import { CheckpointError } from "../base/errors.js";
import { type ByteSource, MAX_TEXT_FILE_BYTES, type SourceLocation } from "./byte-source.js";
import { BodyBuffer, HttpExchange, readBody, withReadErrors } from "./http-exchange.js";
import { type Endpoint, maskUrl, withCredentialsInHeader } from "./mask-secrets.js";
import { compressedRangeError, downloadRange, fileEndpoint, type RemoteFile } from "./range-download.js";
import { responseVersion } from "./response-version.js";
import { isTransientStatus, type RetryPolicy, TransferError, withRetries } from "./retry.js";
import { defaultRetryPolicy } from "./retry-options.js";
import { declaredDataBytes, headerLength, PREFIX_BYTES } from "./safetensors.js";

/** Maximum size of a file, in bytes, that is kept in memory if the server sends it whole. A kept file is not requested again. */
const MAX_KEPT_FILE_BYTES = 1 << 24;

/** What a server says about a file, and its bytes if the server sent all of them. */
export interface FileInfo {
  /** Undefined if there is no such file. */
  readonly size: number | undefined;
  /** See {@link responseVersion}. */
  readonly version: string;
  /** SHA-256 of the file in hexadecimal, if the server sends it (header `X-Linked-ETag` of the Hugging Face hub). */
  readonly sha256?: string;
  /** Whether the server sends the whole file although a range was requested. */
  readonly ignoresRanges: boolean;
  readonly bytes?: Uint8Array;
}

const MISSING_FILE: FileInfo = { size: undefined, version: "", ignoresRanges: false };

/** A file that is read as one stream, and the current position in the stream. */
interface OpenStream {
  readonly file: string;
  readonly chunks: AsyncGenerator<Uint8Array, void, undefined>;
  position: number;
  /** Bytes that have arrived but were not read yet. */
  rest: Uint8Array;
}

/**
 * Reads files below one URL with Range requests. If a server does not support ranges, each file is read as one stream from its beginning.
 * This has no extra cost as long as reads move forward. Failed requests are repeated according to the {@link RetryPolicy}.
 */
export class HttpSource implements ByteSource {
  private readonly fileInfo = new Map<string, FileInfo>();
  private stream: OpenStream | undefined;
  /** Settles when the last queued read of the stream ends. Reads of the stream run one after the other. */
  private streamQueue: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly base: Endpoint,
    private readonly retryPolicy: RetryPolicy,
    readonly weightsFile?: string,
  ) {}

  /**
   * Creates a source from the URL of a directory, or of one `.safetensors` file with its `config.json` beside it. User name and password of
   * the URL are moved into a header.
   *
   * @throws {CheckpointError} text that is not a URL
   */
  static fromUrl(text: string, retryPolicy = defaultRetryPolicy): HttpSource {
    let file: string | undefined;
    let url: URL;
    try {
      url = new URL(text);
      file = /[^/]+\.safetensors$/.exec(url.pathname)?.[0];
      if (file) url.pathname = url.pathname.slice(0, -file.length);
      else if (!url.pathname.endsWith("/")) url.pathname += "/";
      file &&= decodeURIComponent(file);
    } catch {
      // The error has no cause, because the cause would contain the whole URL.
      throw new CheckpointError(`${maskUrl(text)}: expected a URL, got other text (check the spelling)`);
    }
    return new HttpSource(withCredentialsInHeader(url), retryPolicy, file);
  }

  get name(): string {
    return maskUrl(this.base.url.href);
  }

  /** The URL of the directory with its query, but without user name and password. */
  get baseUrl(): string {
    return this.base.url.href;
  }

  async size(file: string, signal?: AbortSignal): Promise<number | undefined> {
    return (await this.describe(file, signal)).size;
  }

  /** Asks the server about a file, once. @throws {CheckpointError} with the TransferError as its cause */
  async describe(file: string, signal?: AbortSignal, retryPolicy = this.retryPolicy): Promise<FileInfo> {
    let known = this.fileInfo.get(file);
    if (!known) {
      known = await withReadErrors(this.name + file, signal, () =>
        withRetries(() => this.requestFileInfo(file, signal), retryPolicy, signal),
      );
      this.fileInfo.set(file, known);
    }
    return known;
  }

  /**
   * Downloads bytes `begin` to `end` (exclusive) of a file, in chunks as they arrive. The file must have been described. If the server
   * does not support ranges, it sends the file from its beginning each time, and the bytes before `begin` are skipped.
   *
   * @throws {TransferError} see {@link downloadRange}
   */
  async *download(file: string, begin: number, end: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = begin; at < end; ) {
      const { size, bytes, ignoresRanges } = this.fileInfo.get(file)!;
      if (bytes) return void (yield bytes.subarray(at, end));
      try {
        for await (const chunk of downloadRange(this.remoteFile(file), at, ignoresRanges ? size! : end, this.retryPolicy, signal)) {
          const part = chunk.subarray(0, end - at);
          at += part.byteLength;
          yield part;
          if (at === end) return;
        }
      } catch (error) {
        this.expectRangesRefused(file, error);
      }
    }
  }

  async list(): Promise<undefined> {}

  get location(): SourceLocation {
    return { kind: "http", base: this.base.url.href, headers: this.base.headers, retryPolicy: this.retryPolicy };
  }

  /** Returns the version of a file. @throws {CheckpointError} the server does not support ranges, so weights cannot be streamed from it */
  async version(file: string): Promise<string> {
    const known = this.fileInfo.get(file);
    if (known && !known.ignoresRanges) return known.version;
    throw new CheckpointError(
      `${this.name}${file}: cannot be streamed: the server does not support Range requests (download the checkpoint, and load it from its directory)`,
    );
  }

  async read(
    file: string,
    begin: number,
    end: number,
    signal?: AbortSignal,
    onBytes: (bytes: number) => void = () => {},
  ): Promise<Uint8Array> {
    const whole = this.fileInfo.get(file)?.bytes;
    if (whole) {
      onBytes(end - begin);
      return whole.subarray(begin, end);
    }
    if (begin === end) return new Uint8Array();
    return withReadErrors(`${this.name}${file}: bytes ${begin} to ${end}`, signal, async () => {
      if (!this.fileInfo.get(file)?.ignoresRanges) {
        try {
          return await this.readRange(file, begin, end, onBytes, signal);
        } catch (error) {
          this.expectRangesRefused(file, error);
        }
      }
      const read = this.streamQueue.then(() => this.readFromStream(file, begin, end, onBytes, signal));
      this.streamQueue = read.catch(() => {});
      return read;
    });
  }

  async close(): Promise<void> {
    const { stream } = this;
    this.stream = undefined;
    await stream?.chunks.return();
  }

  /** Records that the server sends whole files, although it sent a range when it was asked about the file. @throws any other error */
  private expectRangesRefused(file: string, error: unknown): void {
    const known = this.fileInfo.get(file)!;
    if (known.ignoresRanges || !(error instanceof TransferError && error.status === 200)) throw error;
    this.fileInfo.set(file, { ...known, ignoresRanges: true });
  }

  private async readRange(
    file: string,
    begin: number,
    end: number,
    onBytes: (bytes: number) => void,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const bytes = new Uint8Array(end - begin);
    let at = 0;
    for await (const piece of downloadRange(this.remoteFile(file), begin, end, this.retryPolicy, signal)) {
      bytes.set(piece, at);
      at += piece.byteLength;
      onBytes(piece.byteLength);
    }
    return bytes;
  }

  private async readFromStream(
    file: string,
    begin: number,
    end: number,
    onBytes: (bytes: number) => void,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (this.stream?.file !== file || this.stream.position > begin) {
      await this.close();
      const chunks = downloadRange(this.remoteFile(file), begin, this.fileInfo.get(file)!.size!, this.retryPolicy, signal);
      this.stream = { file, chunks, position: begin, rest: new Uint8Array() };
    }
    const { stream } = this;
    const bytes = new Uint8Array(end - begin);
    try {
      while (stream.position < end) {
        if (stream.rest.byteLength === 0) {
          const { value } = await stream.chunks.next();
          if (!value) throw new TransferError(`the file ended after ${stream.position} bytes`);
          stream.rest = value;
        }
        const before = stream.position < begin;
        const part = stream.rest.subarray(0, (before ? begin : end) - stream.position);
        if (!before) {
          bytes.set(part, stream.position - begin);
          onBytes(part.byteLength);
        }
        stream.position += part.byteLength;
        stream.rest = stream.rest.subarray(part.byteLength);
      }
      return bytes;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  private async requestFileInfo(file: string, signal?: AbortSignal): Promise<FileInfo> {
    const exchange = await HttpExchange.open(this.remoteFile(file), { headers: { Range: "bytes=0-0" } }, this.retryPolicy, signal);
    try {
      const { status, headers, contentEncoding } = exchange;
      // For a missing file, object stores respond with 403 and development servers with a web page.
      const isPage = (status === 200 || status === 206) && /^text\/html/i.test(headers.get("content-type") ?? "");
      if ([403, 404, 410].includes(status) || isPage) return MISSING_FILE;
      if (status === 206 || status === 416) {
        if (contentEncoding) throw compressedRangeError(contentEncoding);
        const total = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] ?? (await this.requestLength(file, signal));
        if (total === undefined) {
          throw new TransferError("the server does not send the file's length", {
            remedy: "let it send Access-Control-Expose-Headers: Content-Range",
          });
        }
        const sha256 = linkedSha256(headers);
        return { size: Number(total), version: status === 206 ? responseVersion(exchange) : "", sha256, ignoresRanges: false };
      }
      if (status !== 200) throw exchange.statusError();
      const [version, sha256] = [responseVersion(exchange), linkedSha256(headers)];
      const length = contentEncoding ? null : headers.get("content-length");
      if (length !== null && Number(length) > MAX_KEPT_FILE_BYTES) return { size: Number(length), version, sha256, ignoresRanges: true };
      return { ...(await this.measureBody(file, exchange)), version, sha256, ignoresRanges: true };
    } finally {
      exchange.close();
    }
  }

  /**
   * Determines the size of a body of unknown length. For weights, the header gives the size. Any other file is read to its end, and its
   * bytes are returned too.
   */
  private async measureBody(file: string, exchange: HttpExchange): Promise<Pick<FileInfo, "size" | "bytes">> {
    if (!file.endsWith(".safetensors")) {
      const bytes = await readBody(exchange, MAX_TEXT_FILE_BYTES);
      return { size: bytes.byteLength, bytes };
    }
    const body = new BodyBuffer(exchange);
    for (let needed = MAX_KEPT_FILE_BYTES; ; ) {
      if (!(await body.readMore())) return { size: body.byteLength, bytes: body.bytes() };
      if (body.byteLength <= needed) continue;
      const bytes = body.bytes();
      const end = PREFIX_BYTES + headerLength(bytes.subarray(0, PREFIX_BYTES), Number.POSITIVE_INFINITY, file);
      if (bytes.byteLength >= end) return { size: end + declaredDataBytes(bytes.subarray(PREFIX_BYTES, end), file) };
      needed = end;
    }
  }

  /**
   * Requests `Content-Length` of the whole file, if the response to a range does not contain it. Tries HEAD first, and then GET, because
   * signed URLs may refuse HEAD.
   */
  private async requestLength(file: string, signal?: AbortSignal): Promise<string | undefined> {
    for (const method of ["HEAD", "GET"]) {
      const exchange = await HttpExchange.open(
        this.remoteFile(file),
        { method, headers: { "Accept-Encoding": "identity" } },
        this.retryPolicy,
        signal,
      );
      exchange.close();
      if (isTransientStatus(exchange.status) && exchange.status !== 501) throw exchange.statusError();
      const length = exchange.status === 200 && !exchange.contentEncoding ? exchange.headers.get("content-length") : null;
      if (length !== null) return length;
    }
    return undefined;
  }

  private remoteFile(name: string): RemoteFile {
    const { version = "", ignoresRanges = false } = this.fileInfo.get(name) ?? {};
    return { ...fileEndpoint(this.base, name), version, fullResponse: ignoresRanges ? "accepted" : "refused" };
  }
}

/** Returns the SHA-256 in the header `X-Linked-ETag`. A plain `ETag` may be any hash, or none. */
function linkedSha256(headers: Headers): string | undefined {
  return /^"?([0-9a-f]{64})"?$/.exec(headers.get("x-linked-etag") ?? "")?.[1];
}

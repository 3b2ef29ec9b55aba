import { CheckpointError } from "../base/errors.js";
import { defaultPatience } from "./patience.js";
import type { Address } from "./reader-thread.js";
import { isTransient, type Patience, retrying, TransferError } from "./retry.js";
import { declaredBytes, headerBytes, PREFIX_BYTES } from "./safetensors.js";
import { type Endpoint, maskUrl, withCredentialsInHeader } from "./secrets.js";
import { MAX_TEXT_BYTES, type Source } from "./source.js";
import { Body, collect, compressed, download, Exchange, fileAt, type RemoteFile, reading, versionOf } from "./transfer.js";

/** Files up to this size are kept if the server sends them whole, instead of being requested again. */
const KEEP_BYTES = 1 << 24;

/** What is known of one file: its size, or its bytes if the server sent them all. */
interface Known {
  readonly size: number | undefined;
  /** See `versionOf`. */
  readonly version: string;
  /** Whether the server answers with the whole file, whatever range is asked for. */
  readonly whole: boolean;
  readonly bytes?: Uint8Array;
}

const MISSING: Known = { size: undefined, version: "", whole: false };

/** A file that is read as one stream, and how far. */
interface Stream {
  readonly file: string;
  readonly pieces: AsyncGenerator<Uint8Array, void, undefined>;
  position: number;
  /** What has arrived and was not asked for yet. */
  rest: Uint8Array;
}

/**
 * Files below one URL, in Range requests. From a server that knows no ranges, files are read as one stream from the beginning, which costs nothing
 * more as long as reads move forward. Failed requests are made again; see `Patience`.
 */
export class HttpSource implements Source {
  private readonly known = new Map<string, Known>();
  private stream: Stream | undefined;
  /** Reads of one stream follow one another. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly base: Endpoint,
    private readonly patience: Patience,
    readonly weights?: string,
  ) {}

  /**
   * @param url of a directory, or of one `.safetensors` file with its `config.json` beside it. User name and password become a header.
   * @throws {CheckpointError} not a URL
   */
  static at(text: string, patience = defaultPatience): HttpSource {
    let file: string | undefined;
    let url: URL;
    try {
      url = new URL(text);
      file = /[^/]+\.safetensors$/.exec(url.pathname)?.[0];
      if (file) url.pathname = url.pathname.slice(0, -file.length);
      else if (!url.pathname.endsWith("/")) url.pathname += "/";
      file &&= decodeURIComponent(file);
    } catch {
      // The cause would hold the whole URL.
      throw new CheckpointError(`${maskUrl(text)}: expected a URL, got something else`);
    }
    return new HttpSource(withCredentialsInHeader(url), patience, file);
  }

  get name(): string {
    return maskUrl(this.base.url.href);
  }

  async size(file: string, signal?: AbortSignal): Promise<number | undefined> {
    let known = this.known.get(file);
    if (!known) {
      known = await reading(this.name + file, signal, () => retrying(() => this.probe(file, signal), this.patience, signal));
      this.known.set(file, known);
    }
    return known.size;
  }

  async list(): Promise<undefined> {}

  get address(): Address {
    return { kind: "http", base: this.base.url.href, headers: this.base.headers, patience: this.patience };
  }

  /** @throws {CheckpointError} a server that knows no ranges: it cannot be streamed from */
  async stamp(file: string): Promise<string> {
    const known = this.known.get(file);
    if (known && !known.whole) return known.version;
    throw new CheckpointError(
      `${this.name}${file}: cannot be streamed: the server knows no ranges (download the checkpoint, and load it from its directory)`,
    );
  }

  async read(
    file: string,
    begin: number,
    end: number,
    signal?: AbortSignal,
    onBytes: (bytes: number) => void = () => {},
  ): Promise<Uint8Array> {
    const whole = this.known.get(file)?.bytes;
    if (whole) {
      onBytes(end - begin);
      return whole.subarray(begin, end);
    }
    if (begin === end) return new Uint8Array();
    return reading(`${this.name}${file}: bytes ${begin} to ${end}`, signal, async () => {
      if (!this.known.get(file)?.whole) {
        try {
          return await this.readRange(file, begin, end, onBytes, signal);
        } catch (error) {
          // It did know ranges when it was asked for the size.
          if (!(error instanceof TransferError && error.status === 200)) throw error;
          this.known.set(file, { ...this.known.get(file)!, whole: true });
        }
      }
      const read = this.turn.then(() => this.readStream(file, begin, end, onBytes, signal));
      this.turn = read.catch(() => {});
      return read;
    });
  }

  async close(): Promise<void> {
    const { stream } = this;
    this.stream = undefined;
    await stream?.pieces.return();
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
    for await (const piece of download(this.file(file), begin, end, this.patience, signal)) {
      bytes.set(piece, at);
      at += piece.byteLength;
      onBytes(piece.byteLength);
    }
    return bytes;
  }

  private async readStream(
    file: string,
    begin: number,
    end: number,
    onBytes: (bytes: number) => void,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (this.stream?.file !== file || this.stream.position > begin) {
      await this.close();
      const pieces = download(this.file(file), begin, this.known.get(file)!.size!, this.patience, signal);
      this.stream = { file, pieces, position: begin, rest: new Uint8Array() };
    }
    const { stream } = this;
    const bytes = new Uint8Array(end - begin);
    try {
      while (stream.position < end) {
        if (stream.rest.byteLength === 0) {
          const { value } = await stream.pieces.next();
          if (!value) throw new TransferError(`it ended after ${stream.position} bytes`);
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

  private async probe(file: string, signal?: AbortSignal): Promise<Known> {
    const exchange = await Exchange.open(this.file(file), { headers: { Range: "bytes=0-0" } }, this.patience, signal);
    try {
      const { status, headers, encoding } = exchange;
      // Object stores answer with 403 for files that they do not have, development servers with a page.
      const isPage = (status === 200 || status === 206) && /^text\/html/i.test(headers.get("content-type") ?? "");
      if ([403, 404, 410].includes(status) || isPage) return MISSING;
      if (status === 206 || status === 416) {
        if (encoding) throw compressed(encoding);
        const total = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] ?? (await this.lengthOf(file, signal));
        if (total === undefined) {
          throw new TransferError("the server does not say how long the file is", {
            remedy: "Access-Control-Expose-Headers: Content-Range",
          });
        }
        return { size: Number(total), version: status === 206 ? versionOf(exchange) : "", whole: false };
      }
      if (status !== 200) throw exchange.refusal();
      const version = versionOf(exchange);
      const length = encoding ? null : headers.get("content-length");
      if (length !== null && Number(length) > KEEP_BYTES) return { size: Number(length), version, whole: true };
      return { ...(await this.measure(file, exchange)), version, whole: true };
    } finally {
      exchange.end();
    }
  }

  /** Size of a body whose length is not known, or its bytes: weights say in their header how long they are, all else is read to its end. */
  private async measure(file: string, exchange: Exchange): Promise<Pick<Known, "size" | "bytes">> {
    if (!file.endsWith(".safetensors")) {
      const bytes = await collect(exchange, MAX_TEXT_BYTES);
      return { size: bytes.byteLength, bytes };
    }
    const body = new Body(exchange);
    for (let enough = KEEP_BYTES; ; ) {
      if (!(await body.more())) return { size: body.byteLength, bytes: body.bytes() };
      if (body.byteLength <= enough) continue;
      const bytes = body.bytes();
      const end = PREFIX_BYTES + headerBytes(bytes.subarray(0, PREFIX_BYTES), Number.POSITIVE_INFINITY, file);
      if (bytes.byteLength >= end) return { size: end + declaredBytes(bytes.subarray(PREFIX_BYTES, end), file) };
      enough = end;
    }
  }

  /** `Content-Length` of the whole file, for who cannot see it in a range: answers to HEAD have it, which signed URLs refuse, and those to GET. */
  private async lengthOf(file: string, signal?: AbortSignal): Promise<string | undefined> {
    for (const method of ["HEAD", "GET"]) {
      const exchange = await Exchange.open(this.file(file), { method, headers: { "Accept-Encoding": "identity" } }, this.patience, signal);
      exchange.end();
      if (isTransient(exchange.status) && exchange.status !== 501) throw exchange.refusal();
      const length = exchange.status === 200 && !exchange.encoding ? exchange.headers.get("content-length") : null;
      if (length !== null) return length;
    }
    return undefined;
  }

  private file(name: string): RemoteFile {
    const { version = "", whole = false } = this.known.get(name) ?? {};
    return { ...fileAt(this.base, name), version, whole: whole ? "accepted" : "refused" };
  }
}

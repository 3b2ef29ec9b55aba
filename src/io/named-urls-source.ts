import { platform } from "#platform";
import { followSignals } from "../base/abort.js";
import { CheckpointError } from "../base/errors.js";
import { MAX_MEMORY_BYTES } from "../runtime/heap.js";
import { type BinaryData, toBytes } from "./blob-source.js";
import { type ByteSource, MAX_TEXT_FILE_BYTES, type SourceLocation } from "./byte-source.js";
import { HttpExchange } from "./http-exchange.js";
import { maskUrl, messageWithCauses, withCredentialsInHeader } from "./mask-secrets.js";
import { expectSameVersion } from "./response-version.js";
import { RetryCounter, type RetryPolicy, TransferError } from "./retry.js";
import { declaredDataBytes, headerLength, PREFIX_BYTES } from "./safetensors.js";

/** Files by name. Some of them are given as URLs. */
export type NamedFiles = ReadonlyMap<string, Blob | BinaryData | URL>;

/** Remedy that ends every message about an unreadable URL. */
const UNREADABLE_URL_REMEDY =
  "check the address and the connection; some bundlers, such as esbuild and Rollup, do not copy files that a script refers to by URL: copy them beside the bundle, those of the bundled model from the package's folder dist/standalone/model";

/**
 * A source of files with one URL each, as bundlers provide them. Each file is fetched as a whole and kept in memory, and all files are
 * fetched at the same time. One plain request per file works with every static server and cache. Weights can be read while they arrive.
 */
export class NamedUrlsSource implements ByteSource {
  readonly name = "source";
  private readonly controller = new AbortController();
  private readonly unfollow: () => void;
  private readonly files: ReadonlyMap<string, IncomingFile>;
  private readonly completeFiles = new Map<string, Uint8Array>();

  constructor(files: NamedFiles, retryPolicy: RetryPolicy, signal: AbortSignal | undefined) {
    this.unfollow = followSignals(this.controller, [signal]);
    this.files = new Map([...files].map(([name, from]) => [name, new IncomingFile(name, from, retryPolicy, this.controller.signal)]));
  }

  async size(file: string): Promise<number | undefined> {
    return this.files.get(file)?.size;
  }

  async list(): Promise<string[]> {
    return [...this.files.keys()];
  }

  async read(file: string, begin: number, end: number, _signal?: AbortSignal, onBytes?: (bytes: number) => void): Promise<Uint8Array> {
    const found = this.files.get(file);
    if (!found) throw new CheckpointError(`${file}: expected among the given files, got no file of this name`);
    return found.read(begin, end, onBytes);
  }

  /** The files whose version was requested. They have arrived completely. */
  get location(): SourceLocation {
    return { kind: "files", files: this.completeFiles };
  }

  /**
   * Waits for the whole file, so that `location` can pass it to another thread. Returns an empty version, because files in memory do not
   * change.
   */
  async version(file: string): Promise<string> {
    this.completeFiles.set(file, await this.read(file, 0, (await this.size(file)) ?? 0));
    return "";
  }

  async close(): Promise<void> {
    this.unfollow();
    this.controller.abort();
  }
}

/** One file whose bytes are arriving. */
class IncomingFile {
  /** Resolves to the size of the file. For a file of weights, it settles when the header has arrived, otherwise with the last byte. */
  readonly size: Promise<number>;
  private bytes: Uint8Array = new Uint8Array();
  private arrived = 0;
  private readonly complete: Promise<void>;
  /** See {@link responseVersion}. */
  private version = "";
  private announceBytes = () => {};
  /** Settles when the next bytes arrive. */
  private moreBytes = this.nextBytes();

  constructor(
    private readonly name: string,
    from: Blob | BinaryData | URL,
    private readonly retryPolicy: RetryPolicy,
    private readonly signal: AbortSignal,
  ) {
    let announceSize = (_: number) => {};
    const announced = new Promise<number>((resolve) => {
      announceSize = resolve;
    });
    this.complete = from instanceof URL ? this.fetch(from, announceSize) : this.takeData(from);
    this.size = Promise.race([announced, this.complete.then(() => this.arrived)]);
    // Every read throws this error. If nothing reads the file, the error must not become an unhandled rejection.
    this.size.catch(() => {});
  }

  async read(begin: number, end: number, onBytes: (bytes: number) => void = () => {}): Promise<Uint8Array> {
    await this.size;
    for (let reported = begin; reported < end; ) {
      const here = Math.min(this.arrived, end);
      if (here > reported) {
        onBytes(here - reported);
        reported = here;
      } else await Promise.race([this.moreBytes, this.complete]);
    }
    return this.bytes.subarray(begin, end);
  }

  private async takeData(data: Blob | BinaryData): Promise<void> {
    const bytes = toBytes(data);
    this.takeWhole(bytes instanceof Uint8Array ? bytes : new Uint8Array(await bytes.arrayBuffer()));
  }

  private async fetch(url: URL, announceSize: (size: number) => void): Promise<void> {
    try {
      if (url.protocol === "data:") this.takeWhole(decodeDataUrl(url.href));
      else if (url.protocol === "file:") this.takeWhole(await platform.readFile(url));
      else await this.download(url, announceSize);
    } catch (cause) {
      this.signal.throwIfAborted();
      if (cause instanceof CheckpointError) throw cause;
      const [reason, remedy] =
        cause instanceof TransferError ? [cause.reason, cause.details.remedy] : [messageWithCauses(cause), undefined];
      const where = url.protocol === "data:" ? "its data: URL" : maskUrl(url.href);
      throw new CheckpointError(`${this.name}: cannot be read from ${where}: ${reason} (${remedy ?? UNREADABLE_URL_REMEDY})`, { cause });
    }
  }

  /**
   * Downloads the whole file. If a response breaks off, the file is requested again, and the bytes that have already arrived are skipped.
   */
  private async download(url: URL, announceSize: (size: number) => void): Promise<void> {
    const address = withCredentialsInHeader(url);
    const retries = new RetryCounter(this.retryPolicy, this.signal);
    for (;;) {
      const from = this.arrived;
      let exchange: HttpExchange | undefined;
      try {
        exchange = await HttpExchange.open(address, {}, this.retryPolicy, this.signal);
        if (exchange.status !== 200) throw exchange.statusError();
        // If a file is missing, development servers respond with a web page.
        if (/^text\/html/i.test(exchange.headers.get("content-type") ?? "")) throw new TransferError("the server sent a web page");
        this.version = expectSameVersion(this.version, exchange);
        return await this.receive(exchange, announceSize);
      } catch (error) {
        await retries.waitBeforeRetry(error, this.arrived - from);
      } finally {
        exchange?.close();
      }
    }
  }

  private async receive(exchange: HttpExchange, announceSize: (size: number) => void): Promise<void> {
    // If the server compresses, `Content-Length` is the compressed length. A web page cannot detect that across origins. The size of
    // weights is therefore taken from their header.
    const sized = this.name.endsWith(".safetensors");
    const most = sized ? MAX_MEMORY_BYTES : MAX_TEXT_FILE_BYTES;
    let size: number | undefined;
    let skip = this.arrived;
    for (let part = await exchange.nextChunk(); part; part = await exchange.nextChunk()) {
      const skipped = Math.min(skip, part.byteLength);
      skip -= skipped;
      this.append(part.subarray(skipped));
      if (sized) size ??= this.sizeByHeader();
      if (size !== undefined) announceSize(size);
      // Bytes beyond the size belong to no tensor.
      if (this.arrived >= (size ?? Number.POSITIVE_INFINITY)) return;
      if (this.arrived > most) throw new TransferError(`the server sent more than ${most} bytes`);
    }
    if (skip > 0 || (size !== undefined && this.arrived < size)) {
      throw new TransferError(`the server's answer ended after ${this.arrived} of ${size ?? "more"} bytes`, { transient: true });
    }
  }

  /**
   * Returns the size of a file of weights, or undefined while its header is incomplete. @throws {CheckpointError} bytes that are not a
   * header
   */
  private sizeByHeader(): number | undefined {
    const head = this.bytes.subarray(0, this.arrived);
    if (head.byteLength < PREFIX_BYTES) return undefined;
    const begin = PREFIX_BYTES + headerLength(head.subarray(0, PREFIX_BYTES), Number.POSITIVE_INFINITY, this.name);
    return head.byteLength < begin ? undefined : begin + declaredDataBytes(head.subarray(PREFIX_BYTES, begin), this.name);
  }

  private takeWhole(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.advance(bytes.byteLength);
  }

  private append(part: Uint8Array): void {
    const end = this.arrived + part.byteLength;
    if (end > this.bytes.byteLength) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.byteLength));
      larger.set(this.bytes.subarray(0, this.arrived));
      this.bytes = larger;
    }
    this.bytes.set(part, this.arrived);
    this.advance(end);
  }

  private advance(arrived: number): void {
    this.arrived = arrived;
    this.announceBytes();
    this.moreBytes = this.nextBytes();
  }

  private nextBytes(): Promise<void> {
    return new Promise((resolve) => {
      this.announceBytes = resolve;
    });
  }
}

/** Decodes the bytes of a data: URL. The content security policy of a page may forbid fetching it. */
function decodeDataUrl(url: string): Uint8Array {
  const [, kind, text] = /^data:([^,]*),(.*)$/s.exec(url)!;
  const decoded = decodeURIComponent(text!);
  return kind!.endsWith(";base64") ? Uint8Array.from(atob(decoded), (char) => char.charCodeAt(0)) : new TextEncoder().encode(decoded);
}

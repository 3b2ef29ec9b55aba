import { platform } from "#platform";
import { followSignals } from "../base/abort.js";
import { CheckpointError } from "../base/errors.js";
import { MAX_MEMORY_BYTES } from "../runtime/heap.js";
import { type BinaryData, toBytes } from "./blob-source.js";
import { type ByteSource, MAX_TEXT_FILE_BYTES } from "./byte-source.js";
import { expectSameVersion, HttpExchange } from "./range-download.js";
import type { SourceLocation } from "./reader-thread.js";
import { RetryCounter, type RetryPolicy, TransferError } from "./retry.js";
import { declaredDataBytes, headerLength, PREFIX_BYTES } from "./safetensors.js";
import { maskUrl, messageWithCauses, withCredentialsInHeader } from "./secrets.js";

/** Files by name, some of them at an address. */
export type NamedFiles = ReadonlyMap<string, Blob | BinaryData | URL>;

/** What follows every reason. */
const UNREADABLE_URL_REMEDY =
  "check the address and the connection; esbuild, Rollup and others do not copy files that are named by URL: copy them beside the bundle, those of the bundled model from the package's folder dist/standalone/model";

/**
 * Files that each have an address of their own, as bundlers give them. Every file is fetched as a whole, all at the same time, and kept in memory:
 * one request a file, which any static server answers and any cache keeps. Weights can be read while they arrive.
 */
export class NamedUrlsSource implements ByteSource {
  readonly name = "source";
  private readonly controller = new AbortController();
  private readonly unfollow: () => void;
  private readonly files: ReadonlyMap<string, IncomingFile>;
  private readonly completeFiles = new Map<string, Uint8Array>();

  constructor(files: NamedFiles, patience: RetryPolicy, signal: AbortSignal | undefined) {
    this.unfollow = followSignals(this.controller, [signal]);
    this.files = new Map([...files].map(([name, from]) => [name, new IncomingFile(name, from, patience, this.controller.signal)]));
  }

  async size(file: string): Promise<number | undefined> {
    return this.files.get(file)?.size;
  }

  async list(): Promise<string[]> {
    return [...this.files.keys()];
  }

  async read(file: string, begin: number, end: number, _signal?: AbortSignal, onBytes?: (bytes: number) => void): Promise<Uint8Array> {
    const found = this.files.get(file);
    if (!found) throw new CheckpointError(`${file}: not among the given files`);
    return found.read(begin, end, onBytes);
  }

  /** Files whose version was asked for are complete. */
  get location(): SourceLocation {
    return { kind: "files", files: this.completeFiles };
  }

  /** Waits for the whole file, which another thread is then given. Nothing that is in memory changes. */
  async version(file: string): Promise<string> {
    this.completeFiles.set(file, await this.read(file, 0, (await this.size(file)) ?? 0));
    return "";
  }

  async close(): Promise<void> {
    this.unfollow();
    this.controller.abort();
  }
}

/** The bytes of one file while they arrive. */
class IncomingFile {
  /** Known as soon as the header of weights has arrived, or when all bytes have. */
  readonly size: Promise<number>;
  private bytes: Uint8Array = new Uint8Array();
  private arrived = 0;
  private readonly complete: Promise<void>;
  /** See {@link responseVersion}. */
  private version = "";
  private announceBytes = () => {};
  /** Settles with the next bytes. */
  private moreBytes = this.nextBytes();

  constructor(
    private readonly name: string,
    from: Blob | BinaryData | URL,
    private readonly retryPolicy: RetryPolicy,
    private readonly signal: AbortSignal,
  ) {
    let known = (_: number) => {};
    const announced = new Promise<number>((resolve) => {
      known = resolve;
    });
    this.complete = from instanceof URL ? this.fetch(from, known) : this.takeData(from);
    this.size = Promise.race([announced, this.complete.then(() => this.arrived)]);
    // Whoever reads is told; a file that nobody reads may fail.
    this.size.catch(() => {});
  }

  async read(begin: number, end: number, onBytes: (bytes: number) => void = () => {}): Promise<Uint8Array> {
    await this.size;
    for (let told = begin; told < end; ) {
      const here = Math.min(this.arrived, end);
      if (here > told) {
        onBytes(here - told);
        told = here;
      } else await Promise.race([this.moreBytes, this.complete]);
    }
    return this.bytes.subarray(begin, end);
  }

  private async takeData(data: Blob | BinaryData): Promise<void> {
    const bytes = toBytes(data);
    this.takeWhole(bytes instanceof Uint8Array ? bytes : new Uint8Array(await bytes.arrayBuffer()));
  }

  private async fetch(url: URL, known: (size: number) => void): Promise<void> {
    try {
      if (url.protocol === "data:") this.takeWhole(decodeDataUrl(url.href));
      else if (url.protocol === "file:") this.takeWhole(await platform.readFile(url));
      else await this.download(url, known);
    } catch (cause) {
      this.signal.throwIfAborted();
      if (cause instanceof CheckpointError) throw cause;
      const [reason, remedy] =
        cause instanceof TransferError ? [cause.reason, cause.details.remedy] : [messageWithCauses(cause), undefined];
      const where = url.protocol === "data:" ? "its data: URL" : maskUrl(url.href);
      throw new CheckpointError(`${this.name}: cannot be read from ${where}: ${reason} (${remedy ?? UNREADABLE_URL_REMEDY})`, { cause });
    }
  }

  /** Fetches the whole file. If an answer breaks off, the file is asked for again, and what is here already is skipped. */
  private async download(url: URL, known: (size: number) => void): Promise<void> {
    const address = withCredentialsInHeader(url);
    const tries = new RetryCounter(this.retryPolicy, this.signal);
    for (;;) {
      const from = this.arrived;
      let exchange: HttpExchange | undefined;
      try {
        exchange = await HttpExchange.open(address, {}, this.retryPolicy, this.signal);
        if (exchange.status !== 200) throw exchange.statusError();
        // Development servers answer with a page for files that they do not have.
        if (/^text\/html/i.test(exchange.headers.get("content-type") ?? "")) throw new TransferError("the server sent a web page");
        this.version = expectSameVersion(this.version, exchange);
        return await this.receive(exchange, known);
      } catch (error) {
        await tries.waitBeforeRetry(error, this.arrived - from);
      } finally {
        exchange?.close();
      }
    }
  }

  private async receive(exchange: HttpExchange, known: (size: number) => void): Promise<void> {
    // Servers that compress announce another length, which a page cannot tell across origins. The header of weights says how long they are.
    const sized = this.name.endsWith(".safetensors");
    const most = sized ? MAX_MEMORY_BYTES : MAX_TEXT_FILE_BYTES;
    let size: number | undefined;
    let skip = this.arrived;
    for (let part = await exchange.nextChunk(); part; part = await exchange.nextChunk()) {
      const skipped = Math.min(skip, part.byteLength);
      skip -= skipped;
      this.append(part.subarray(skipped));
      if (sized) size ??= this.sizeByHeader();
      if (size !== undefined) known(size);
      // Whatever follows belongs to no tensor.
      if (this.arrived >= (size ?? Number.POSITIVE_INFINITY)) return;
      if (this.arrived > most) throw new TransferError(`the server sent more than ${most} bytes`);
    }
    if (skip > 0 || (size !== undefined && this.arrived < size)) {
      throw new TransferError(`the server's answer ended after ${this.arrived} of ${size ?? "more"} bytes`, { transient: true });
    }
  }

  /** Undefined while the header is incomplete. @throws {CheckpointError} other bytes than a header: no end would be known */
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

/** Decoded here: a page's content security policy may forbid to fetch it. */
function decodeDataUrl(url: string): Uint8Array {
  const [, kind, text] = /^data:([^,]*),(.*)$/s.exec(url)!;
  const decoded = decodeURIComponent(text!);
  return kind!.endsWith(";base64") ? Uint8Array.from(atob(decoded), (char) => char.charCodeAt(0)) : new TextEncoder().encode(decoded);
}

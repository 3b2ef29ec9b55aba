import { platform } from "#platform";
import { follow } from "../base/abort.js";
import { CheckpointError } from "../base/errors.js";
import { MAX_BYTES } from "../runtime/memory.js";
import { type Binary, bytesOf } from "./blobs.js";
import type { Address } from "./reader-thread.js";
import { type Patience, TransferError, Tries } from "./retry.js";
import { declaredBytes, headerBytes, PREFIX_BYTES } from "./safetensors.js";
import { maskUrl, reasonOf, withCredentialsInHeader } from "./secrets.js";
import { MAX_TEXT_BYTES, type Source } from "./source.js";
import { Exchange, sameVersion } from "./transfer.js";

/** Files by name, some of them at an address. */
export type NamedFiles = ReadonlyMap<string, Blob | Binary | URL>;

/** What follows every reason. */
const REMEDY =
  "check the address and the connection; esbuild, Rollup and others do not copy files that are named by URL: copy them beside the bundle, those of the bundled model from the package's folder dist/standalone/model";

/**
 * Files that each have an address of their own, as bundlers give them. Every file is fetched as a whole, all at the same time, and kept in memory:
 * one request a file, which any static server answers and any cache keeps. Weights can be read while they arrive.
 */
export class UrlSource implements Source {
  readonly name = "source";
  private readonly controller = new AbortController();
  private readonly unfollow: () => void;
  private readonly files: ReadonlyMap<string, IncomingFile>;
  private readonly complete = new Map<string, Uint8Array>();

  constructor(files: NamedFiles, patience: Patience, signal: AbortSignal | undefined) {
    this.unfollow = follow(this.controller, [signal]);
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

  /** Whatever has a stamp is complete. */
  get address(): Address {
    return { kind: "files", files: this.complete };
  }

  /** Waits for the whole file, which another thread is then given. Nothing that is in memory changes. */
  async stamp(file: string): Promise<string> {
    this.complete.set(file, await this.read(file, 0, (await this.size(file)) ?? 0));
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
  private readonly whole: Promise<void>;
  /** See `versionOf`. */
  private version = "";
  private tell = () => {};
  /** Settles with the next bytes. */
  private news = this.nextNews();

  constructor(
    private readonly name: string,
    from: Blob | Binary | URL,
    private readonly patience: Patience,
    private readonly signal: AbortSignal,
  ) {
    let known = (_: number) => {};
    const announced = new Promise<number>((resolve) => {
      known = resolve;
    });
    this.whole = from instanceof URL ? this.fetch(from, known) : this.take(from);
    this.size = Promise.race([announced, this.whole.then(() => this.arrived)]);
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
      } else await Promise.race([this.news, this.whole]);
    }
    return this.bytes.subarray(begin, end);
  }

  private async take(data: Blob | Binary): Promise<void> {
    const bytes = bytesOf(data);
    this.settle(bytes instanceof Uint8Array ? bytes : new Uint8Array(await bytes.arrayBuffer()));
  }

  private async fetch(url: URL, known: (size: number) => void): Promise<void> {
    try {
      if (url.protocol === "data:") this.settle(dataBytes(url.href));
      else if (url.protocol === "file:") this.settle(await platform.readFile(url));
      else await this.download(url, known);
    } catch (cause) {
      this.signal.throwIfAborted();
      if (cause instanceof CheckpointError) throw cause;
      const [reason, remedy] = cause instanceof TransferError ? [cause.reason, cause.details.remedy] : [reasonOf(cause), undefined];
      const where = url.protocol === "data:" ? "its data: URL" : maskUrl(url.href);
      throw new CheckpointError(`${this.name}: cannot be read from ${where}: ${reason} (${remedy ?? REMEDY})`, { cause });
    }
  }

  /** Fetches the whole file. If an answer breaks off, the file is asked for again, and what is here already is skipped. */
  private async download(url: URL, known: (size: number) => void): Promise<void> {
    const address = withCredentialsInHeader(url);
    const tries = new Tries(this.patience, this.signal);
    for (;;) {
      const from = this.arrived;
      let exchange: Exchange | undefined;
      try {
        exchange = await Exchange.open(address, {}, this.patience, this.signal);
        if (exchange.status !== 200) throw exchange.refusal();
        // Development servers answer with a page for files that they do not have.
        if (/^text\/html/i.test(exchange.headers.get("content-type") ?? "")) throw new TransferError("the server sent a web page");
        this.version = sameVersion(this.version, exchange);
        return await this.receive(exchange, known);
      } catch (error) {
        await tries.afterFailure(error, this.arrived - from);
      } finally {
        exchange?.end();
      }
    }
  }

  private async receive(exchange: Exchange, known: (size: number) => void): Promise<void> {
    // Servers that compress announce another length, which a page cannot tell across origins. The header of weights says how long they are.
    const sized = this.name.endsWith(".safetensors");
    const most = sized ? MAX_BYTES : MAX_TEXT_BYTES;
    let size: number | undefined;
    let skip = this.arrived;
    for (let part = await exchange.next(); part; part = await exchange.next()) {
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
    const begin = PREFIX_BYTES + headerBytes(head.subarray(0, PREFIX_BYTES), Number.POSITIVE_INFINITY, this.name);
    return head.byteLength < begin ? undefined : begin + declaredBytes(head.subarray(PREFIX_BYTES, begin), this.name);
  }

  private settle(bytes: Uint8Array): void {
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
    this.tell();
    this.news = this.nextNews();
  }

  private nextNews(): Promise<void> {
    return new Promise((resolve) => {
      this.tell = resolve;
    });
  }
}

/** Decoded here: a page's content security policy may forbid to fetch it. */
function dataBytes(url: string): Uint8Array {
  const [, kind, text] = /^data:([^,]*),(.*)$/s.exec(url)!;
  const decoded = decodeURIComponent(text!);
  return kind!.endsWith(";base64") ? Uint8Array.from(atob(decoded), (char) => char.charCodeAt(0)) : new TextEncoder().encode(decoded);
}

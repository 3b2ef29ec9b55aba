import { CheckpointError } from "../runtime/errors.js";
import { MAX_BYTES } from "../runtime/memory.js";
import { type Address, stampOf } from "./reader-thread.js";
import type { Source } from "./source.js";

/** Where a server sends whole files only, those up to this size are kept instead of being requested again. */
const KEEP_BYTES = 1 << 24;

/** What is known of one file: its size, or its bytes where the server sent them all. */
interface Known {
  readonly size: number | undefined;
  /** Where the server knows ranges: what tells this version from others, if anything does. */
  readonly stamp?: string;
  readonly bytes?: Uint8Array;
}

/**
 * Files below one URL, in Range requests. From a server that knows no ranges, files are read as one stream from the beginning,
 * which costs nothing more where reads move forward.
 */
export class HttpSource implements Source {
  private readonly known = new Map<string, Known>();
  private stream: { file: string; body: BodyReader } | undefined;

  private constructor(
    private readonly base: URL,
    readonly weights?: string,
  ) {}

  /** @param url of a directory, or of one `.safetensors` file with its `config.json` beside it */
  static at(url: string): HttpSource {
    try {
      const base = new URL(url);
      const file = /[^/]+\.safetensors$/.exec(base.pathname)?.[0];
      if (file) base.pathname = base.pathname.slice(0, -file.length);
      else if (!base.pathname.endsWith("/")) base.pathname += "/";
      return new HttpSource(base, file && decodeURIComponent(file));
    } catch (cause) {
      throw new CheckpointError(`${url}: expected a URL, got something else`, { cause });
    }
  }

  get name(): string {
    return this.base.origin + this.base.pathname;
  }

  async size(file: string, signal?: AbortSignal): Promise<number | undefined> {
    let known = this.known.get(file);
    if (!known) {
      known = await this.probe(file, signal);
      this.known.set(file, known);
    }
    return known.size;
  }

  async list(): Promise<undefined> {}

  get address(): Address {
    return { kind: "http", base: this.base.href };
  }

  /** @throws {CheckpointError} a server that knows no ranges: it cannot be streamed from */
  async stamp(file: string): Promise<string> {
    const stamp = this.known.get(file)?.stamp;
    if (stamp !== undefined) return stamp;
    throw new CheckpointError(
      `${this.name}${file}: cannot be streamed: the server knows no ranges (download the checkpoint, and load it from its directory)`,
    );
  }

  async read(file: string, begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    const whole = this.known.get(file)?.bytes;
    if (whole) return whole.subarray(begin, end);
    if (begin === end) return new Uint8Array();
    return this.guard(`${file}: bytes ${begin} to ${end}`, signal, async () => {
      if (this.stream?.file === file && this.stream.body.position <= begin) return this.stream.body.take(begin, end);
      await this.close();
      const response = await this.request(file, begin, end - 1, signal);
      if (response.status === 206) {
        const range = response.headers.get("content-range");
        const bytes = new Uint8Array(await response.arrayBuffer());
        const expected = [`bytes ${begin}-${end - 1}/*`, `bytes ${begin}-${end - 1}/${this.known.get(file)?.size ?? "*"}`];
        if ((range && !expected.includes(range)) || bytes.byteLength !== end - begin) {
          throw new Error(`the server sent ${bytes.byteLength} bytes, ${range ?? "range unknown"}`);
        }
        return bytes;
      }
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`HTTP status ${response.status}`);
      }
      this.stream = { file, body: new BodyReader(response) };
      return this.stream.body.take(begin, end);
    });
  }

  async close(): Promise<void> {
    const { stream } = this;
    this.stream = undefined;
    await stream?.body.cancel();
  }

  private probe(file: string, signal?: AbortSignal): Promise<Known> {
    return this.guard(file, signal, async () => {
      const response = await this.request(file, 0, 0, signal);
      const { status, headers } = response;
      // Development servers answer with a page for what they do not have, object stores with 403.
      if ([403, 404, 410].includes(status) || /^text\/html/i.test(headers.get("content-type") ?? "")) {
        await response.body?.cancel();
        return { size: undefined };
      }
      if (status === 206 || status === 416) {
        await response.body?.cancel();
        const total = /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1] ?? (await this.head(file, signal));
        if (total === undefined || total === null)
          throw new Error("the server does not say how long the file is (Access-Control-Expose-Headers: Content-Range)");
        return { size: Number(total), stamp: stampOf(headers) };
      }
      if (status !== 200) {
        await response.body?.cancel();
        throw new Error(`HTTP status ${status}`);
      }
      const length = headers.has("content-encoding") ? null : headers.get("content-length");
      if (length !== null && Number(length) > KEEP_BYTES) {
        await response.body?.cancel();
        return { size: Number(length) };
      }
      const bytes = await new BodyReader(response).rest();
      return { size: bytes.byteLength, bytes };
    });
  }

  private async head(file: string, signal?: AbortSignal): Promise<string | null> {
    const response = await fetch(this.url(file), { method: "HEAD", signal });
    return response.ok ? response.headers.get("content-length") : null;
  }

  private request(file: string, first: number, last: number, signal?: AbortSignal): Promise<Response> {
    return fetch(this.url(file), { headers: { Range: `bytes=${first}-${last}` }, signal });
  }

  private url(file: string): URL {
    const url = new URL(this.base);
    url.pathname += encodeURIComponent(file);
    return url;
  }

  private async guard<T>(where: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await body();
    } catch (cause) {
      signal?.throwIfAborted();
      const reasons = [cause, (cause as Error).cause].filter((error) => error instanceof Error).map((error) => error.message);
      throw new CheckpointError(
        `${this.name}${where}: cannot be read: ${reasons.join(": ")} (check the address and the connection, and load again)`,
        { cause },
      );
    }
  }
}

/** A response's body, read forwards. */
class BodyReader {
  position = 0;
  private readonly reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  private chunk: Uint8Array = new Uint8Array();

  constructor(response: Response) {
    this.reader = response.body?.getReader();
  }

  /** Skips to `begin` and takes the bytes up to `end`. */
  async take(begin: number, end: number): Promise<Uint8Array> {
    while (this.position < begin) await this.advance(begin - this.position, () => {});
    const bytes = new Uint8Array(end - begin);
    while (this.position < end) await this.advance(end - this.position, (part, position) => bytes.set(part, position - begin));
    return bytes;
  }

  /** All bytes to come. */
  async rest(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let part = await this.reader?.read(); part && !part.done; part = await this.reader!.read()) {
      this.position += part.value.byteLength;
      if (this.position > MAX_BYTES) {
        await this.cancel();
        throw new Error("the server knows no ranges and does not say how long this large file is");
      }
      parts.push(part.value);
    }
    return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  }

  async cancel(): Promise<void> {
    await this.reader?.cancel().catch(() => {});
  }

  private async advance(most: number, use: (part: Uint8Array, position: number) => void): Promise<void> {
    if (this.chunk.byteLength === 0) {
      const next = await this.reader?.read();
      if (!next || next.done) throw new Error(`the server's answer ended after ${this.position} bytes`);
      this.chunk = next.value;
    }
    const part = this.chunk.subarray(0, most);
    use(part, this.position);
    this.position += part.byteLength;
    this.chunk = this.chunk.subarray(part.byteLength);
  }
}

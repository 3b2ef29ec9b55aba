import { canShareBlobs } from "#threads";
import { CheckpointError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { ByteSource, SourceLocation } from "./byte-source.js";
import { TEMPLATES_DIRECTORY, WEIGHTS_FILE } from "./checkpoint-files.js";

export type BinaryData = Uint8Array | ArrayBuffer;

/** Time after which a read from memory yields to the event loop, so that a page stays responsive and an abort signal can arrive. */
const YIELD_INTERVAL_MS = 30;

/** Files that were picked in a browser, or files in memory. */
export class BlobSource implements ByteSource {
  private lastYield = performance.now();

  private constructor(
    readonly name: string,
    readonly files: ReadonlyMap<string, Blob | Uint8Array>,
    readonly weightsFile?: string,
  ) {}

  /** Creates a source from a value of the caller. @throws {CheckpointError} an unsupported value, or two files with the same name */
  static from(source: unknown): BlobSource {
    if (isBinaryData(source)) {
      const name = "name" in source && typeof source.name === "string" ? source.name : WEIGHTS_FILE;
      return new BlobSource(name, new Map([[name, toBytes(source)]]), name);
    }
    if (typeof source !== "object" || source === null) throw unsupportedSource("source", source);
    if ("attnTypeList" in source) {
      throw new CheckpointError(
        "source: expected a checkpoint (a directory's path, a URL, a hub id, files or bytes), got a configuration, which has no weights (pass it as the option config, and the weights as the source)",
      );
    }
    const named = source instanceof Map ? [...source] : isIterable(source) ? [...source].map(namedFile) : Object.entries(source);
    const files = new Map<string, { blob: Blob | Uint8Array; depth: number }>();
    for (const [path, data] of named) {
      if (typeof path !== "string" || !isBinaryData(data)) throw unsupportedSource(`source: ${printed(path)}`, data);
      const parts = path.replaceAll("\\", "/").split("/");
      const nameParts = parts.at(-2) === TEMPLATES_DIRECTORY ? 2 : 1;
      const [file, depth] = [parts.slice(-nameParts).join("/"), parts.length - nameParts];
      const other = files.get(file);
      if (other?.depth === depth)
        throw new CheckpointError(`source: ${file}: expected one file of this name, got several (give the files of one directory)`);
      if (!other || depth < other.depth) files.set(file, { blob: toBytes(data), depth });
    }
    return new BlobSource("source", new Map([...files].map(([file, { blob }]) => [file, blob])));
  }

  async size(file: string): Promise<number | undefined> {
    const data = this.files.get(file);
    return data instanceof Uint8Array ? data.byteLength : data?.size;
  }

  get location(): SourceLocation | undefined {
    const canShare = canShareBlobs || [...this.files.values()].every((data) => data instanceof Uint8Array);
    return canShare ? { kind: "files", files: this.files } : undefined;
  }

  async list(): Promise<string[]> {
    return [...this.files.keys()];
  }

  async read(file: string, begin: number, end: number): Promise<Uint8Array> {
    const data = this.files.get(file);
    if (!data) throw new CheckpointError(`${file}: expected among the given files, got no file of this name`);
    if (performance.now() - this.lastYield > YIELD_INTERVAL_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      this.lastYield = performance.now();
    }
    if (data instanceof Uint8Array) return data.subarray(begin, end);
    try {
      return new Uint8Array(await data.slice(begin, end).arrayBuffer());
    } catch (cause) {
      throw new CheckpointError(`${file}: cannot be read (it may have been changed or removed since it was picked: pick it again)`, {
        cause,
      });
    }
  }

  async close(): Promise<void> {}
}

export function isBinaryData(value: unknown): value is Blob | BinaryData | DataView {
  return value instanceof Blob || value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

/** Returns a view of the bytes of a buffer. A Blob is returned as it is. @throws {CheckpointError} a detached buffer */
export function toBytes(data: Blob | BinaryData | DataView): Blob | Uint8Array {
  if (data instanceof Blob) return data;
  try {
    return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
  } catch (cause) {
    throw new CheckpointError("source: expected bytes, got a detached buffer (pass a buffer that was not transferred to another thread)", {
      cause,
    });
  }
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}

function namedFile(file: unknown): [path: unknown, data: unknown] {
  const { name, webkitRelativePath } = (file ?? {}) as Partial<File>;
  return [webkitRelativePath || name, file];
}

/** Creates the error for a value that is not a source. */
export function unsupportedSource(where: string, value: unknown): CheckpointError {
  const kind = value === null ? "null" : typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
  return new CheckpointError(
    `${where}: expected a path, a URL, a hub id, files, a Map of names to URL, Blob, Uint8Array or ArrayBuffer, or bytes, got ${kind}`,
  );
}

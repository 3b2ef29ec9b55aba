import { blobsTravel } from "#threads";
import { CheckpointError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { Address } from "./reader-thread.js";
import { type Source, TEMPLATES_DIRECTORY } from "./source.js";

export type Binary = Uint8Array | ArrayBuffer;

/** Where bytes without a name go. */
const UNNAMED = "model.safetensors";

/** Reading from memory never waits; this often it lets others run, so that a page answers and a signal can arrive. */
const PAUSE_MS = 30;

/** Files that are already here: picked in a browser, or in memory. */
export class BlobSource implements Source {
  private resumed = performance.now();

  private constructor(
    readonly name: string,
    private readonly files: ReadonlyMap<string, Blob | Uint8Array>,
    readonly weights?: string,
  ) {}

  /** @throws {CheckpointError} other values, or two files that would have the same name */
  static from(source: unknown): BlobSource {
    if (isData(source)) {
      const name = "name" in source && typeof source.name === "string" ? source.name : UNNAMED;
      return new BlobSource(name, new Map([[name, bytesOf(source)]]), name);
    }
    if (typeof source !== "object" || source === null) throw unknownKind("source", source);
    if ("attnTypeList" in source) {
      throw new CheckpointError(
        "source: expected a checkpoint (a directory's path, a URL, a hub id, files or bytes), got a configuration, which has no weights (with bytes of weights it goes into the option config)",
      );
    }
    const named = source instanceof Map ? [...source] : isIterable(source) ? [...source].map(nameFile) : Object.entries(source);
    const files = new Map<string, { blob: Blob | Uint8Array; depth: number }>();
    for (const [path, data] of named) {
      if (typeof path !== "string" || !isData(data)) throw unknownKind(`source: ${printed(path)}`, data);
      const parts = path.replaceAll("\\", "/").split("/");
      const names = parts.at(-2) === TEMPLATES_DIRECTORY ? 2 : 1;
      const [file, depth] = [parts.slice(-names).join("/"), parts.length - names];
      const other = files.get(file);
      if (other?.depth === depth)
        throw new CheckpointError(`source: ${file}: expected one file of this name, got several (give the files of one directory)`);
      if (!other || depth < other.depth) files.set(file, { blob: bytesOf(data), depth });
    }
    return new BlobSource("source", new Map([...files].map(([file, { blob }]) => [file, blob])));
  }

  async size(file: string): Promise<number | undefined> {
    const blob = this.files.get(file);
    return blob instanceof Uint8Array ? blob.byteLength : blob?.size;
  }

  get address(): Address | undefined {
    const travel = blobsTravel || [...this.files.values()].every((data) => data instanceof Uint8Array);
    return travel ? { kind: "files", files: this.files } : undefined;
  }

  async list(): Promise<string[]> {
    return [...this.files.keys()];
  }

  async read(file: string, begin: number, end: number): Promise<Uint8Array> {
    const blob = this.files.get(file);
    if (!blob) throw new CheckpointError(`${file}: not among the given files`);
    if (performance.now() - this.resumed > PAUSE_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      this.resumed = performance.now();
    }
    if (blob instanceof Uint8Array) return blob.subarray(begin, end);
    try {
      return new Uint8Array(await blob.slice(begin, end).arrayBuffer());
    } catch (cause) {
      throw new CheckpointError(`${file}: cannot be read (changed or removed since it was picked?)`, { cause });
    }
  }

  async close(): Promise<void> {}
}

export function isData(value: unknown): value is Blob | Binary | DataView {
  return value instanceof Blob || value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

export function bytesOf(data: Blob | Binary | DataView): Blob | Uint8Array {
  if (data instanceof Blob) return data;
  try {
    return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
  } catch (cause) {
    throw new CheckpointError("source: expected bytes, got a buffer whose memory was given away (transferred to another thread?)", {
      cause,
    });
  }
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}

function nameFile(file: unknown): [path: unknown, data: unknown] {
  const { name, webkitRelativePath } = (file ?? {}) as Partial<File>;
  return [webkitRelativePath || name, file];
}

export function unknownKind(where: string, value: unknown): CheckpointError {
  const kind = value === null ? "null" : typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
  return new CheckpointError(
    `${where}: expected a path, a URL, a hub id, files, a Map of names to URL, Blob, Uint8Array or ArrayBuffer, or bytes, got ${kind}`,
  );
}

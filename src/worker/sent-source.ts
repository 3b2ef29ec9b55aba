import { canShareBlobs } from "#threads";
import { parseUrl } from "../base/url.js";
import { bundledModelFiles } from "../bundled-model.js";
import { BlobSource, isBinaryData, toBytes, unsupportedSource } from "../io/blob-source.js";
import { isHubId } from "../io/byte-source.js";
import type { CheckpointSource } from "../io/open-byte-source.js";

/** A source of a checkpoint as it is sent to a worker. Strings in a Map are URLs, because instances of `URL` cannot be sent. */
export type SentSource = string | Blob | Uint8Array | ReadonlyMap<string, string | Blob | Uint8Array>;

/**
 * Prepares a source for a worker. Blobs and Files are sent as handles, without a copy of their bytes. In Node, where another thread cannot
 * read them, they are read here.
 *
 * @throws {CheckpointError} a value that is not a source
 */
export async function sendSource(given: CheckpointSource | undefined): Promise<SentSource> {
  const source = given ?? (await bundledModelFiles());
  if (typeof source === "string") return absolute(source);
  if (source instanceof URL) return source.href;
  if (isBinaryData(source)) return sendData(source);
  const entries = source instanceof Map ? [...source] : typeof source === "object" && source !== null ? Object.entries(source) : [];
  if (entries.some(([, data]) => data instanceof URL)) {
    const sent = entries.map(async ([name, data]) => {
      if (!(data instanceof URL) && !isBinaryData(data)) throw unsupportedSource(`source: ${name}`, data);
      return [name, data instanceof URL ? data.href : await sendData(data)] as const;
    });
    return new Map(await Promise.all(sent));
  }
  const files = [...BlobSource.from(source).files].map(async ([name, data]) => [name, await sendData(data)] as const);
  return new Map(await Promise.all(files));
}

/** Returns the source that was sent. */
export function receiveSource(sent: SentSource): CheckpointSource {
  if (!(sent instanceof Map)) return sent as string | Blob | Uint8Array;
  return new Map([...sent].map(([name, data]) => [name, typeof data === "string" ? new URL(data) : data]));
}

/** Resolves a relative URL against the page, because in the worker it would be relative to the worker's script. */
function absolute(text: string): string {
  const base = globalThis.document?.baseURI;
  const isRelative = !/^[a-z][a-z0-9+.-]*:/i.test(text) && !(isHubId(text) && !text.endsWith(".safetensors"));
  return (base && text && isRelative && parseUrl(text, base)?.href) || text;
}

/** Returns bytes without the rest of the buffer that they are part of, which would be copied too. */
async function sendData(data: Parameters<typeof toBytes>[0]): Promise<Blob | Uint8Array> {
  const bytes = toBytes(data);
  if (!(bytes instanceof Blob)) return bytes.slice();
  return canShareBlobs ? bytes : new Uint8Array(await bytes.arrayBuffer());
}

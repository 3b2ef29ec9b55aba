import { CheckpointError } from "../base/errors.js";
import { parseUrl } from "../base/url.js";
import { type ByteSource, isHubId, type OpenOptions } from "./byte-source.js";
import type { Destination } from "./destination.js";
import type { DownloadStore } from "./downloads/store.js";
import { HttpSource } from "./http-source.js";
import { maskUrl } from "./mask-secrets.js";
import { parseRetryPolicy } from "./retry-options.js";

/**
 * The functions of file access that differ between Node and browsers. Code imports them as `#platform`. In the build for Node, this name
 * resolves to `src/node/platform.ts`.
 */
export interface Platform {
  /** Opens a string that is not an http: or https: URL: a path, a hub id, a relative URL, or a `file:` URL. */
  openPath(text: string, options: OpenOptions): Promise<ByteSource>;
  /** Opens a directory to write into. */
  openDestination(path: string): Promise<Destination>;
  /** Opens a path to write one file. An earlier file is replaced when the new one is complete. */
  openFileDestination(path: string): Promise<Destination>;
  /** Reads the bytes of a `file:` URL. */
  readFile(url: URL): Promise<Uint8Array>;
  /** Opens the store of a cache of downloads. @throws {CheckpointError} there is no place to store files */
  openStore(name: string): Promise<DownloadStore>;
}

/** The platform of browsers, which has relative URLs, but no file system and no hub cache. */
export const platform: Platform = {
  async openPath(text, options) {
    if (text.startsWith("file:"))
      throw new CheckpointError(
        `${text}: expected an http: or https: URL, got a file: URL (let the user pick files, and pass the File list)`,
      );
    if (isHubId(text) && !text.endsWith(".safetensors") && !text.startsWith(".")) {
      throw new CheckpointError(
        `${text}: hub ids can be opened only in Node (use https://huggingface.co/${text}/resolve/main/, or ./${text}/ for a relative URL)`,
      );
    }
    if (options.localFilesOnly && !options.cache)
      throw new CheckpointError(`${text}: expected files, got a relative URL (localFilesOnly is set; URLs need the option cache)`);
    const { document, location } = globalThis;
    // Resolves the URL as `fetch` does. A worker made from a Blob has an origin but no path.
    const base = document?.baseURI ?? location?.href.replace(/^blob:(https?:\/\/[^/]+).*/, "$1");
    if (base && base !== location?.href && !document && !text.startsWith("/")) {
      throw new CheckpointError(
        `"${maskUrl(text)}": expected an absolute URL, got a relative one in a worker that was made from a Blob and has no address to resolve it against (post new URL("${maskUrl(text)}", location.href).href from the page)`,
      );
    }
    const url = text && base ? parseUrl(text, base) : undefined;
    if (!base || !url) throw new CheckpointError(`"${maskUrl(text)}": expected a URL, files or bytes, got other text (check the spelling)`);
    const missingFileHint = document
      ? `"${maskUrl(text)}" is relative to the page, ${withoutQuery(base)}`
      : `"${maskUrl(text)}" is relative to the worker's script, ${withoutQuery(base)}: post new URL("${maskUrl(text)}", location.href).href from the page`;
    return Object.assign(HttpSource.fromUrl(url.href, parseRetryPolicy(options)), { missingFileHint });
  },

  /** Reads a `file:` URL. Browsers refuse this, but other engines have a `fetch` that reads files. */
  async readFile(url) {
    return new Uint8Array(await (await fetch(url)).arrayBuffer());
  },

  async openStore(name) {
    return (await import("./downloads/opfs-store.js")).openOpfsStore(name);
  },

  openDestination: throwNoFileSystem,
  openFileDestination: throwNoFileSystem,
};

async function throwNoFileSystem(path: string): Promise<never> {
  throw new CheckpointError(`${path}: browsers have no file system to write to (save without a destination to get the files back)`);
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*/s, "");
}

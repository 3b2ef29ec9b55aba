import { CheckpointError } from "../base/errors.js";
import { isHubId, type Platform } from "./byte-source.js";
import { HttpSource } from "./http-source.js";
import { parseRetryPolicy } from "./retry-policy.js";
import { maskUrl } from "./secrets.js";

/** The browser's half: relative URLs; no file system, no hub cache. */
export const platform: Platform = {
  async openPath(text, options) {
    if (text.startsWith("file:"))
      throw new CheckpointError(`${text}: expected an address, got a file (pick files, and give the File list)`);
    if (isHubId(text) && !text.endsWith(".safetensors") && !text.startsWith(".")) {
      throw new CheckpointError(
        `${text}: a hub id is opened in Node only (here: https://huggingface.co/${text}/resolve/main/, or ./${text}/ for a relative URL)`,
      );
    }
    if (options.localFilesOnly) throw new CheckpointError(`${text}: expected files, got a relative URL (localFilesOnly is set)`);
    const { document, location } = globalThis;
    // As `fetch` does it. A worker made from a Blob has no path of its own, but an origin.
    const base = document?.baseURI ?? location?.href.replace(/^blob:(https?:\/\/[^/]+).*/, "$1");
    if (base && base !== location?.href && !document && !text.startsWith("/")) {
      throw new CheckpointError(
        `"${maskUrl(text)}": expected an absolute URL, got a relative one in a worker that was made from a Blob, which has no address to resolve it against (post new URL("${maskUrl(text)}", location.href).href from the page)`,
      );
    }
    if (!text || !base || !URL.canParse(text, base))
      throw new CheckpointError(`"${maskUrl(text)}": expected a URL, files or bytes, got something else`);
    const hint = document
      ? `"${maskUrl(text)}" is relative to the page, ${withoutQuery(base)}`
      : `"${maskUrl(text)}" is relative to the worker's script, ${withoutQuery(base)}: post new URL("${maskUrl(text)}", location.href).href from the page`;
    return Object.assign(HttpSource.fromUrl(new URL(text, base).href, parseRetryPolicy(options)), { hint });
  },

  /** Of engines that are no browser some can. */
  async readFile(url) {
    return new Uint8Array(await (await fetch(url)).arrayBuffer());
  },

  async openDestination(path) {
    throw new CheckpointError(`${path}: there is no file system here (without a destination the files are returned)`);
  },
};

function withoutQuery(url: string): string {
  return url.replace(/[?#].*/s, "");
}

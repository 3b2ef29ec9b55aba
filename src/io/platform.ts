import { CheckpointError } from "../runtime/errors.js";
import { HttpSource } from "./http.js";
import { isHubId, type Platform } from "./source.js";

/** The browser's half: relative URLs; no file system, no hub cache. */
export const platform: Platform = {
  async open(text, { localFilesOnly }) {
    if (text.startsWith("file:"))
      throw new CheckpointError(`${text}: expected an address, got a file (pick files, and give the File list)`);
    if (isHubId(text) && !text.endsWith(".safetensors") && !text.startsWith(".")) {
      throw new CheckpointError(
        `${text}: a hub id is opened in Node only (here: https://huggingface.co/${text}/resolve/main/, or ./${text}/ for a relative URL)`,
      );
    }
    if (localFilesOnly) throw new CheckpointError(`${text}: expected files, got a relative URL (localFilesOnly is set)`);
    const base = globalThis.location?.href;
    if (!text || !base || !URL.canParse(text, base))
      throw new CheckpointError(`"${text}": expected a URL, files or bytes, got something else`);
    return HttpSource.at(new URL(text, base).href);
  },

  /** Of engines that are no browser some can. */
  async readFile(url) {
    return new Uint8Array(await (await fetch(url)).arrayBuffer());
  },

  async directory(path) {
    throw new CheckpointError(`${path}: there is no file system here (without a destination the files are returned)`);
  },
};

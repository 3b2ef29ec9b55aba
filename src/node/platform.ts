import { readFile, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CheckpointError } from "../base/errors.js";
import { isHubId } from "../io/byte-source.js";
import { maskUrl } from "../io/mask-secrets.js";
import type { Platform } from "../io/platform.js";
import { presets } from "../model/presets.js";
import { DirectoryDestination } from "./directory-destination.js";
import { DirectorySource } from "./directory-source.js";
import { isMissingFileError } from "./regular-file.js";
import { finishPendingSave } from "./save-journal.js";

/** Node's platform: the file system, and the hub with its cache. */
export const platform: Platform = {
  async openPath(text, options) {
    const path = text.startsWith("file:") ? fileUrlToPath(text) : text;
    await finishInterruptedSave(path.endsWith(".safetensors") ? dirname(path) : path);
    const kind = await pathKind(path);
    if (kind === "directory") return new DirectorySource(path, undefined, true);
    if (kind === "file" && path.endsWith(".safetensors")) return new DirectorySource(dirname(path), basename(path), true);
    if (kind !== "nothing")
      throw new CheckpointError(`${path}: expected a directory or a .safetensors file, got a different ${kind} (check the path)`);
    if (Object.hasOwn(presets, text)) {
      throw new CheckpointError(
        `"${text}": no such path (${resolve(path)}), and the preset of this name is a configuration without weights (give a checkpoint: a directory, a URL or a hub id)`,
      );
    }
    if (path !== text || !isHubId(text)) {
      throw new CheckpointError(
        `"${maskUrl(text)}": no such path (${maskUrl(text) === text ? resolve(path) : "shown without credentials"}), and neither a URL nor a hub id like "MiniMaxAI/MiniMax-M1-80k" (check the spelling)`,
      );
    }
    const { openHubRepository } = await import("./hub-source.js");
    return openHubRepository(text, options);
  },

  async openDestination(path) {
    return new DirectoryDestination(path);
  },

  async openFileDestination(path) {
    return new (await import("./file-destination.js")).FileDestination(path);
  },

  readFile,

  async openStore(name) {
    return (await import("./directory-store.js")).openDirectoryStore(name);
  },
};

function fileUrlToPath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new CheckpointError(`${url}: expected a file: URL of this machine: ${(cause as Error).message}`, { cause });
  }
}

/** Completes a save whose process ended too early. @throws {CheckpointError} a save that cannot be completed here */
async function finishInterruptedSave(directory: string): Promise<void> {
  try {
    await finishPendingSave(directory);
  } catch (cause) {
    if (isMissingFileError(cause)) return;
    const { message } = cause as Error;
    const remedy = message.endsWith(")") ? "" : " (load it once from a place where the directory can be written)";
    throw new CheckpointError(`${directory}: an interrupted save into it cannot be finished: ${message}${remedy}`, { cause });
  }
}

async function pathKind(path: string): Promise<"directory" | "file" | "kind of file" | "nothing"> {
  if (path === "") return "nothing";
  try {
    const info = await stat(path);
    return info.isDirectory() ? "directory" : info.isFile() ? "file" : "kind of file";
  } catch (cause) {
    if (isMissingFileError(cause)) return "nothing";
    throw new CheckpointError(`${path}: cannot be opened: ${(cause as Error).message}`, { cause });
  }
}

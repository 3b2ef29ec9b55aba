import { CheckpointError } from "../../base/errors.js";
import type { DownloadStore } from "./store.js";

/** Directory in the origin private file system that contains a directory for each cache. */
const ROOT = "lightning-m1-downloads";

/** Synchronous access to a file, which only dedicated workers have. TypeScript declares it only for workers. */
interface SyncAccessHandle {
  truncate(size: number): void;
  write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  flush(): void;
  close(): void;
}

type FileHandle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncAccessHandle> };

/** Opens a cache in the origin private file system. @throws {CheckpointError} the browser has none here, with the remedy */
export async function openOpfsStore(name: string): Promise<DownloadStore> {
  const { storage } = globalThis.navigator ?? {};
  if (typeof storage?.getDirectory !== "function") {
    throw new CheckpointError("this engine has no file system for pages (use a current browser, over https: or from localhost)");
  }
  const { prototype } = FileSystemFileHandle;
  if (!("createSyncAccessHandle" in prototype) && !("createWritable" in prototype)) {
    throw new CheckpointError("this browser lets only workers write files (load the model in a worker)");
  }
  try {
    const root = await (await storage.getDirectory()).getDirectoryHandle(ROOT, { create: true });
    return new OpfsStore(await root.getDirectoryHandle(name, { create: true }));
  } catch (cause) {
    throw new CheckpointError(`the browser refuses its file system: ${(cause as Error).message} (private windows may not have one)`, {
      cause,
    });
  }
}

/** A directory of the origin private file system. */
class OpfsStore implements DownloadStore {
  constructor(private readonly folder: FileSystemDirectoryHandle) {}

  async list(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of this.folder.keys()) names.push(name);
    return names;
  }

  async read(name: string): Promise<Blob | undefined> {
    try {
      return await (await this.folder.getFileHandle(name)).getFile();
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const handle: FileHandle = await this.folder.getFileHandle(name, { create: true });
    if (handle.createSyncAccessHandle) {
      const access = await handle.createSyncAccessHandle();
      try {
        access.truncate(0);
        const written = access.write(bytes, { at: 0 });
        if (written !== bytes.byteLength)
          throw new DOMException(`${written} of ${bytes.byteLength} bytes were written`, "QuotaExceededError");
        access.flush();
      } finally {
        access.close();
      }
    } else {
      const stream = await handle.createWritable();
      try {
        await stream.write(bytes);
        await stream.close();
      } catch (error) {
        await stream.abort().catch(() => {});
        throw error;
      }
    }
  }

  async delete(name: string): Promise<void> {
    await this.folder.removeEntry(name).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async freeBytes(): Promise<number | undefined> {
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}

import { randomUUID } from "node:crypto";
import { copyFile, mkdir, open, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { getHFHubCachePath, getRepoFolderName, listFiles, modelInfo } from "@huggingface/hub";
import { CheckpointError } from "../base/errors.js";
import type { ByteSource, Downloader, OpenOptions } from "../io/byte-source.js";
import { isPlainName, TEMPLATES_DIRECTORY } from "../io/checkpoint-files.js";
import { downloadRange } from "../io/range-download.js";
import { TransferError } from "../io/retry.js";
import { parseRetryPolicy } from "../io/retry-options.js";
import { DirectorySource } from "./directory-source.js";
import { HubClient } from "./hub-client.js";
import { hubEndpoint, isOffline } from "./hub-environment.js";
import { readSmallFile } from "./regular-file.js";

/** Maximum size in bytes of a file in `refs/`, which contains a commit. */
const MAX_REF_BYTES = 1 << 12;

/** One file of a repository at one commit. */
interface HubFile {
  readonly size: number;
  /** A hash of the content. It is the name of the blob in the cache. */
  readonly etag: string;
}

/**
 * Opens a model repository through the cache that `huggingface_hub` (Python) also uses. In this cache, `blobs/` holds files by hash,
 * `snapshots/{commit}/` contains links to them, and `refs/{revision}` holds the commit.
 *
 * A file is downloaded when it is first needed. It has a temporary name until it is complete.
 *
 * @throws {CheckpointError} a repository or file that the hub cannot provide or, if network access is forbidden, that is not in the cache
 */
export async function openHubRepository(name: string, options: OpenOptions): Promise<ByteSource> {
  const { revision = "main", localFilesOnly, signal } = options;
  const folder = join(getHFHubCachePath(), getRepoFolderName({ type: "model", name }));
  if (!/^[\w][\w./-]*$/.test(revision) || revision.includes("..")) {
    throw new CheckpointError(`${name}: revision: expected a branch, tag or commit, got ${JSON.stringify(revision)}`);
  }
  if (localFilesOnly || isOffline())
    return openCachedSnapshot(name, folder, revision, localFilesOnly ? "localFilesOnly" : "HF_HUB_OFFLINE");
  const hub = new HubClient(await hubEndpoint(), parseRetryPolicy(options));
  return hub.withHubErrors(`${name} (no such path, so a hub id)`, signal, async () => {
    const client = hub.apiSettings(signal);
    const { sha } = await modelInfo({ ...client, name, revision, additionalFields: ["sha"] });
    if (!/^[0-9a-f]{40}$/.test(sha)) throw new Error(`expected a commit, got ${JSON.stringify(sha)}`);
    const entries = new Map<string, HubFile>();
    const list = async (directory?: string): Promise<void> => {
      for await (const { type, path, size, oid, lfs, xetHash } of listFiles({
        ...client,
        repo: { type: "model", name },
        revision: sha,
        path: directory,
      })) {
        const etag = lfs?.oid ?? xetHash ?? oid ?? "";
        const file = directory ? path.slice(directory.length + 1) : path;
        if (type === "file" && isPlainName(file) && isPlainName(etag)) entries.set(path, { size, etag });
        else if (type === "directory" && path === TEMPLATES_DIRECTORY) await list(path);
      }
    };
    await list();
    if (revision !== sha) {
      await mkdir(dirname(join(folder, "refs", revision)), { recursive: true });
      await writeFile(join(folder, "refs", revision), sha);
    }
    return new HubSource(name, hub, folder, sha, entries);
  });
}

/** Opens a repository from the cache only. @param why name of the setting that forbids network access, for the message */
async function openCachedSnapshot(name: string, folder: string, revision: string, why: string): Promise<ByteSource> {
  const commit = await readSmallFile(join(folder, "refs", revision), MAX_REF_BYTES).catch(() => revision);
  const snapshot = join(folder, "snapshots", commit.trim());
  const found = await stat(snapshot).catch(() => undefined);
  if (!found?.isDirectory())
    throw new CheckpointError(
      `${name} (no such path, so a hub id): revision ${revision} is not in the cache ${dirname(folder)} (load once without ${why})`,
    );
  return new DirectorySource(snapshot);
}

/** The files of a repository at one commit. */
class HubSource implements ByteSource, Downloader {
  private readonly snapshot: DirectorySource;

  constructor(
    readonly name: string,
    private readonly hub: HubClient,
    private readonly folder: string,
    private readonly commit: string,
    private readonly entries: ReadonlyMap<string, HubFile>,
  ) {
    this.snapshot = new DirectorySource(join(folder, "snapshots", commit));
  }

  get downloader(): Downloader {
    return this;
  }

  async size(file: string): Promise<number | undefined> {
    return this.entries.get(file)?.size;
  }

  async list(): Promise<string[]> {
    return [...this.entries.keys()];
  }

  async read(file: string, begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    await this.fetch([file], () => {}, signal);
    return this.snapshot.read(file, begin, end);
  }

  get location() {
    return this.snapshot.location;
  }

  version(file: string): Promise<string> {
    return this.snapshot.version(file);
  }

  close(): Promise<void> {
    return this.snapshot.close();
  }

  async missingBytes(files: readonly string[]): Promise<number> {
    let bytes = 0;
    for (const file of files) if (!(await this.isCached(file))) bytes += this.entries.get(file)!.size;
    return bytes;
  }

  async fetch(files: readonly string[], onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
    for (const file of files) {
      if (await this.isCached(file)) continue;
      await this.hub.withHubErrors(`${this.name}: ${file}`, signal, () => this.fetchOne(file, onBytes, signal));
    }
  }

  private async isCached(file: string): Promise<boolean> {
    return (await this.snapshot.size(file)) === this.entries.get(file)?.size;
  }

  private async fetchOne(file: string, onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
    const { size, etag } = this.entries.get(file)!;
    const blob = join(this.folder, "blobs", etag);
    const here = await stat(blob).catch(() => undefined);
    if (here?.size !== size) await this.fetchBlob(file, blob, size, onBytes, signal);
    else onBytes(size);
    const link = join(this.snapshot.name, file);
    await mkdir(dirname(link), { recursive: true });
    await rm(link, { force: true });
    // If links are not allowed (Windows), the file is copied. The copy gets its final name when it is complete.
    await symlink(relative(dirname(link), blob), link).catch(async () => {
      const copy = `${link}.${randomUUID()}.incomplete`;
      await copyFile(blob, copy);
      await rename(copy, link);
    });
  }

  /**
   * Downloads a blob under a temporary name. The bytes of a failed or cancelled download are kept, and the next download continues from
   * them. This is safe because the name of a blob is a hash of its content, so both parts belong to the same file.
   */
  private async fetchBlob(file: string, blob: string, size: number, onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
    await mkdir(dirname(blob), { recursive: true });
    const partial = join(dirname(blob), `${basename(blob)}.parked.incomplete`);
    const incomplete = join(dirname(blob), `${basename(blob)}.${randomUUID()}.incomplete`);
    // Renaming claims the partial file. Another process then does not find it, and starts from the beginning.
    await rename(partial, incomplete).catch(() => {});
    const handle = await open(incomplete, "a+");
    let isUsable = true;
    try {
      let { size: written } = await handle.stat();
      if (written > size) {
        await handle.truncate(0);
        written = 0;
      }
      onBytes(written);
      for await (const bytes of downloadRange(this.remote(file, size), written, size, this.hub.retryPolicy, signal)) {
        for (let at = 0; at < bytes.byteLength; ) at += (await handle.write(bytes, at)).bytesWritten;
        onBytes(bytes.byteLength);
      }
      await handle.sync();
      await handle.close();
      await rename(incomplete, blob);
    } catch (error) {
      isUsable = signal?.aborted || (error instanceof TransferError && error.details.transient === true);
      await handle.close().catch(() => {});
      if (isUsable) await rename(incomplete, partial).catch(() => {});
      await rm(incomplete, { force: true });
      throw error;
    }
  }

  private remote(file: string, size: number) {
    const { url, headers } = this.hub.endpoint;
    const path = [...this.name.split("/"), "resolve", this.commit, ...file.split("/")].map(encodeURIComponent).join("/");
    return { url: new URL(`${url.href}${path}`), headers, version: `\n\n${size}`, fullResponse: "expected" as const };
  }
}

import { randomUUID } from "node:crypto";
import { copyFile, mkdir, open, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { downloadFile, getHFHubCachePath, getRepoFolderName, listFiles, modelInfo } from "@huggingface/hub";
import { type Download, isPlainName, type OpenOptions, type Source } from "../io/source.js";
import { CheckpointError, LightningError } from "../runtime/errors.js";
import { DirectorySource, isMissing } from "./files.js";

/** Where and as whom the hub is asked. */
interface Access {
  readonly repo: { readonly type: "model"; readonly name: string };
  readonly hubUrl: string;
  readonly accessToken?: string;
  readonly fetch: typeof fetch;
}

/** One file of a repository at one commit. */
interface Entry {
  readonly size: number;
  /** Names the blob: a hash of its content. */
  readonly etag: string;
}

/**
 * A model repository through the usual cache, which Python shares: `blobs/` by hash, `snapshots/{commit}/` as links to them,
 * `refs/{revision}` with the commit. Files are fetched when they are first needed, under another name until they are complete.
 */
export async function openHub(name: string, options: OpenOptions): Promise<Source> {
  const { revision = "main", localFilesOnly = process.env.HF_HUB_OFFLINE === "1", signal } = options;
  const folder = join(getHFHubCachePath(), getRepoFolderName({ type: "model", name }));
  if (!/^[\w][\w./-]*$/.test(revision) || revision.includes("..")) {
    throw new CheckpointError(`${name}: revision: expected a branch, tag or commit, got ${JSON.stringify(revision)}`);
  }
  if (localFilesOnly) return openCached(name, folder, revision);
  const access: Access = {
    repo: { type: "model", name },
    hubUrl: (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, ""),
    accessToken: await token(),
    fetch: (input, init) => fetch(input, { ...init, signal }),
  };
  return guard(`${name} (no such path, so a hub id)`, signal, async () => {
    const { sha } = await modelInfo({ ...access, name, revision, additionalFields: ["sha"] });
    if (!/^[0-9a-f]{40}$/.test(sha)) throw new Error(`expected a commit, got ${JSON.stringify(sha)}`);
    const entries = new Map<string, Entry>();
    for await (const { type, path, size, oid, lfs, xetHash } of listFiles({ ...access, revision: sha })) {
      const etag = lfs?.oid ?? xetHash ?? oid ?? "";
      if (type === "file" && isPlainName(path) && isPlainName(etag)) entries.set(path, { size, etag });
    }
    if (revision !== sha) {
      await mkdir(dirname(join(folder, "refs", revision)), { recursive: true });
      await writeFile(join(folder, "refs", revision), sha);
    }
    return new HubSource(name, access, folder, sha, entries);
  });
}

async function openCached(name: string, folder: string, revision: string): Promise<Source> {
  const commit = await readFile(join(folder, "refs", revision), "utf8").catch(() => revision);
  const snapshot = join(folder, "snapshots", commit.trim());
  const found = await stat(snapshot).catch(() => undefined);
  if (!found?.isDirectory())
    throw new CheckpointError(
      `${name} (no such path, so a hub id): revision ${revision} is not in the cache ${dirname(folder)} (load once without localFilesOnly)`,
    );
  return new DirectorySource(snapshot);
}

class HubSource implements Source, Download {
  private readonly snapshot: DirectorySource;

  constructor(
    readonly name: string,
    private readonly access: Access,
    private readonly folder: string,
    private readonly commit: string,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {
    this.snapshot = new DirectorySource(join(folder, "snapshots", commit));
  }

  get download(): Download {
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

  get address() {
    return this.snapshot.address;
  }

  stamp(file: string): Promise<string> {
    return this.snapshot.stamp(file);
  }

  close(): Promise<void> {
    return this.snapshot.close();
  }

  async missingBytes(files: readonly string[]): Promise<number> {
    let bytes = 0;
    for (const file of files) if (!(await this.isHere(file))) bytes += this.entries.get(file)!.size;
    return bytes;
  }

  async fetch(files: readonly string[], onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
    for (const file of files) {
      if (await this.isHere(file)) continue;
      await guard(`${this.name}: ${file}`, signal, () => this.fetchOne(file, onBytes));
    }
  }

  private async isHere(file: string): Promise<boolean> {
    return (await this.snapshot.size(file)) === this.entries.get(file)?.size;
  }

  private async fetchOne(file: string, onBytes: (bytes: number) => void): Promise<void> {
    const { size, etag } = this.entries.get(file)!;
    const blob = join(this.folder, "blobs", etag);
    const here = await stat(blob).catch(() => undefined);
    if (here?.size !== size) await this.fetchBlob(file, blob, size, onBytes);
    else onBytes(size);
    const link = join(this.snapshot.name, file);
    await mkdir(dirname(link), { recursive: true });
    await rm(link, { force: true });
    // Where links are not allowed (Windows), a copy takes their place, complete before it has the name.
    await symlink(relative(dirname(link), blob), link).catch(async () => {
      const copy = `${link}.${randomUUID()}.incomplete`;
      await copyFile(blob, copy);
      await rename(copy, link);
    });
  }

  private async fetchBlob(file: string, blob: string, size: number, onBytes: (bytes: number) => void): Promise<void> {
    const content = await downloadFile({ ...this.access, path: file, revision: this.commit });
    if (!content) throw new Error("the hub lists it and does not have it");
    await mkdir(dirname(blob), { recursive: true });
    const incomplete = join(dirname(blob), `${basename(blob)}.${randomUUID()}.incomplete`);
    const handle = await open(incomplete, "wx");
    try {
      let written = 0;
      for await (const chunk of content.stream()) {
        for (let at = 0; at < chunk.byteLength; ) at += (await handle.write(chunk, at)).bytesWritten;
        written += chunk.byteLength;
        if (written > size) break;
        onBytes(chunk.byteLength);
      }
      if (written !== size) throw new Error(`expected ${size} bytes, got ${written > size ? "more" : written}`);
      await handle.sync();
      await handle.close();
      await rename(incomplete, blob);
    } catch (error) {
      await handle.close().catch(() => {});
      await rm(incomplete, { force: true });
      throw error;
    }
  }
}

/** `HF_TOKEN`, or what the hub's own command line has stored. */
async function token(): Promise<string | undefined> {
  if (process.env.HF_TOKEN) return process.env.HF_TOKEN;
  const home = process.env.HF_HOME ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
  try {
    return (await readFile(process.env.HF_TOKEN_PATH ?? join(home, "token"), "utf8")).trim() || undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function guard<T>(where: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await body();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof LightningError) throw cause;
    const status = (cause as { statusCode?: number }).statusCode;
    const remedy =
      status === 401 || status === 403
        ? "set HF_TOKEN, and accept the model's terms"
        : status === 404
          ? "check the id and the revision"
          : "check the connection, or use localFilesOnly";
    throw new CheckpointError(`${where}: the hub did not deliver: ${cause instanceof Error ? cause.message : cause} (${remedy})`, {
      cause,
    });
  }
}

import { randomUUID } from "node:crypto";
import { copyFile, mkdir, open, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { getHFHubCachePath, getRepoFolderName, listFiles, modelInfo } from "@huggingface/hub";
import { CheckpointError, LightningError } from "../base/errors.js";
import { type ByteSource, type Downloader, isPlainName, type OpenOptions, TEMPLATES_DIRECTORY } from "../io/byte-source.js";
import { downloadRange, HttpExchange, readBody } from "../io/range-download.js";
import { isTransientStatus, type RetryPolicy, TransferError, withRetries } from "../io/retry.js";
import { parseRetryPolicy } from "../io/retry-policy.js";
import { type Endpoint, type MaskSecrets, maskUrl, messageWithCauses, secretMasker, withSecretsMasked } from "../io/secrets.js";
import { DirectorySource, readSmallFile } from "./directory.js";
import { hubEndpoint, isOffline } from "./hub-environment.js";

/** The most that an answer of the hub's API may take, and how many requests may be made for a list of files. */
const MAX_RESPONSE_BYTES = 1 << 26;
const MAX_REQUESTS = 1000;

/** The most that a file of `refs/` may take: it holds a commit. */
const MAX_REF_BYTES = 1 << 12;

/** One file of a repository at one commit. */
interface HubFile {
  readonly size: number;
  /** Names the blob: a hash of its content. */
  readonly etag: string;
}

/** Where the hub is, and how long it is waited for. */
class HubClient {
  readonly maskSecrets: MaskSecrets;
  private requests = 0;

  constructor(
    readonly endpoint: Endpoint,
    readonly retryPolicy: RetryPolicy,
  ) {
    this.maskSecrets = secretMasker(endpoint);
  }

  /** Settings for the client of the hub's API. */
  apiSettings(signal: AbortSignal | undefined) {
    const request = (url: string | URL | Request) => this.ask(new URL(url instanceof Request ? url.url : url), signal);
    return { hubUrl: this.endpoint.url.href.replace(/\/$/, ""), fetch: request as typeof fetch };
  }

  /** One answer of the API, whole. Only the hub itself gets the token: a list may go on at another address. */
  private async ask(url: URL, signal: AbortSignal | undefined): Promise<Response> {
    if (++this.requests > MAX_REQUESTS) throw new Error(`the list of files has more than ${MAX_REQUESTS} pages`);
    const headers = url.origin === this.endpoint.url.origin ? this.endpoint.headers : {};
    return withRetries(
      async () => {
        const exchange = await HttpExchange.open({ url, headers }, { headers: { Accept: "application/json" } }, this.retryPolicy, signal);
        const { status } = exchange;
        if (isTransientStatus(status)) {
          exchange.close();
          throw exchange.statusError();
        }
        const body = await readBody(exchange, MAX_RESPONSE_BYTES);
        const type = exchange.headers.get("content-type") ?? "";
        const link = exchange.headers.get("link");
        const answer = new Response(status === 204 ? null : body, { status, headers: { "content-type": type, ...(link && { link }) } });
        // For messages.
        Object.defineProperty(answer, "url", { value: maskUrl(exchange.url) });
        return answer;
      },
      this.retryPolicy,
      signal,
    );
  }

  /** @throws {CheckpointError} without secrets in place of any other error; the signal's reason */
  async withHubErrors<T>(where: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await body();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof LightningError) throw error;
      const status = error instanceof TransferError ? error.status : (error as { statusCode?: number }).statusCode;
      const reason = error instanceof TransferError ? error.reason : messageWithCauses(error);
      const remedy =
        status === 401 || status === 403
          ? "set HF_TOKEN, and accept the model's terms"
          : status === 404
            ? "check the id and the revision"
            : (error instanceof TransferError && error.details.remedy) || "check the connection, or use localFilesOnly";
      throw new CheckpointError(`${where}: the hub did not deliver: ${this.maskSecrets(reason)} (${remedy})`, {
        cause: withSecretsMasked(error, this.maskSecrets),
      });
    }
  }
}

/**
 * A model repository through the usual cache, which Python shares: `blobs/` by hash, `snapshots/{commit}/` as links to them,
 * `refs/{revision}` with the commit. Files are fetched when they are first needed, under another name until they are complete.
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
    // Where links are not allowed (Windows), a copy takes their place, complete before it has the name.
    await symlink(relative(dirname(link), blob), link).catch(async () => {
      const copy = `${link}.${randomUUID()}.incomplete`;
      await copyFile(blob, copy);
      await rename(copy, link);
    });
  }

  /**
   * Downloads a blob under another name. What a failed or cancelled download leaves is parked, and the next one continues it: a blob's name is a
   * hash of its content, so both are the same file.
   */
  private async fetchBlob(file: string, blob: string, size: number, onBytes: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
    await mkdir(dirname(blob), { recursive: true });
    const parked = join(dirname(blob), `${basename(blob)}.parked.incomplete`);
    const incomplete = join(dirname(blob), `${basename(blob)}.${randomUUID()}.incomplete`);
    // Renaming claims it: another process finds nothing, and begins anew.
    await rename(parked, incomplete).catch(() => {});
    const handle = await open(incomplete, "a+");
    let sound = true;
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
      sound = signal?.aborted || (error instanceof TransferError && error.details.transient === true);
      await handle.close().catch(() => {});
      if (sound) await rename(incomplete, parked).catch(() => {});
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

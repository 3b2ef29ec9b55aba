// Replaces a checkpoint atomically. First, all files are written under temporary names. Then a single rename creates the journal; from this
// moment on, the new checkpoint is valid. Finally, this process renames the files. If it ends before that, the next process that opens the
// directory renames them.

import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { link, open, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isObject } from "../base/json.js";
import { INDEX_FILE, isPlainName, TOOL_TEMPLATE_FILE, WEIGHTS_FILE } from "../io/checkpoint-files.js";

/**
 * Name of the journal. The journal exists from the moment at which the new checkpoint is valid until all of its files have their final
 * names.
 */
export const JOURNAL_FILE = ".lightning-m1-save.json";

/** The remaining steps of a save. */
interface Journal {
  /** Identity of the process that performs the steps. */
  readonly owner: string;
  /** Final names by temporary name. The index or, if there is none, the file of weights comes last. */
  readonly files: Readonly<Record<string, string>>;
  /** Files of the earlier checkpoint to be removed. */
  readonly removed: readonly string[];
}

/** Names under which loaders look for weights. */
export const WEIGHT_FILE_NAME = /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/;

/** Files that loaders look for first. They are missing while a save renames shards, so that no loader mixes shards of two checkpoints. */
const ENTRY_FILES: readonly string[] = [INDEX_FILE, WEIGHTS_FILE];

const MAX_JOURNAL_BYTES = 1 << 24;

/** Age in milliseconds at which a journal counts as abandoned, even if its process seems to run. Renaming takes seconds at most. */
const STALE_MS = 60_000;

/** Age in milliseconds at which temporary files count as abandoned if they belong to another machine or have no process in their name. */
const ABANDONED_MS = 7 * 24 * 3_600_000;

/** Returns a hash of the host name. Asked for only when needed, because Deno needs a permission for it. */
const hostHash = () => createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const TEMPORARY_NAME = /^\.(.+)\.([0-9a-f]{8})\.(\d+)\.(\d*)\.[0-9a-f-]{36}\.tmp$/;
const UNOWNED_TEMPORARY_NAME = /^\.(.+\.(safetensors|json|jinja)|merges\.txt)\.[0-9a-f-]{36}\.tmp$/;

/** Returns an identity of this process: a hash of the host name, the process id, and the start time if it is known. */
function processIdentity(): string {
  return `${hostHash()}.${process.pid}.${processStart(process.pid) ?? ""}`;
}

/**
 * Returns when a process started, in clock ticks since the start of the machine (Linux). Empty if unknown; undefined if the process has
 * ended.
 */
function processStart(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return undefined;
  }
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return "";
  }
}

/** Returns whether a process is running. Undefined for a process of another machine. */
function isRunning(owner: string): boolean | undefined {
  const [host, pid, start] = owner.split(".");
  if (host !== hostHash()) return undefined;
  const now = processStart(Number(pid));
  return now !== undefined && (now === start || !start || !now);
}

/** Returns a temporary name that contains the identity of this process. */
export function temporaryName(file: string): string {
  return `.${file}.${processIdentity()}.${randomUUID()}.tmp`;
}

/**
 * Makes the complete temporary files the checkpoint of the directory.
 *
 * @param files final names by temporary name
 * @param removed files of the earlier checkpoint that no new file replaces
 * @param onCommitted called when the new checkpoint becomes valid. From then on, the temporary files must not be removed
 */
export async function commitFiles(
  directory: string,
  files: ReadonlyMap<string, string>,
  removed: readonly string[],
  onCommitted: () => void,
): Promise<void> {
  const ordered = [...files].sort(([, a], [, b]) => Number(ENTRY_FILES.includes(a)) - Number(ENTRY_FILES.includes(b)));
  const journal: Journal = { owner: processIdentity(), files: Object.fromEntries(ordered), removed };
  const text = `${JSON.stringify(journal)}\n`;
  const temporary = join(directory, temporaryName(JOURNAL_FILE));
  try {
    const handle = await open(temporary, "wx");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    while (!(await publishJournal(temporary, join(directory, JOURNAL_FILE)))) await finishPendingSave(directory);
    onCommitted();
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(directory);
  try {
    await applyJournal(directory, text);
  } catch (cause) {
    throw new Error(
      `the save is complete, but some files could not be renamed: ${(cause as Error).message} (load the directory or save into it again to finish)`,
      {
        cause,
      },
    );
  }
}

/**
 * Gives the journal its final name, unless a journal already exists.
 *
 * @returns whether the journal got its name. On file systems without hard links, two saves at the same moment are not detected
 */
async function publishJournal(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
  }
  try {
    await stat(path);
    return false;
  } catch {
    await rename(temporary, path);
    return true;
  }
}

/** Waits until a save in progress has renamed its files, or renames them if its process has ended. */
export async function finishPendingSave(directory: string): Promise<void> {
  const path = join(directory, JOURNAL_FILE);
  for (;;) {
    const info = await stat(path).catch(() => undefined);
    if (!info) return;
    if (!info.isFile() || info.size > MAX_JOURNAL_BYTES) return void parseJournal("");
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    if (text === undefined) return;
    const age = Math.abs(Date.now() - info.mtimeMs);
    if (isRunning(parseJournal(text).owner) === false || age > STALE_MS) return applyJournal(directory, text);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Parses a journal. Content that no save writes is refused, so that a foreign file cannot cause files to be renamed or removed. @throws
 * {Error} such content
 */
function parseJournal(text: string): Journal {
  const journal = parseJsonOrUndefined(text);
  const { owner, files, removed } = isObject(journal) ? journal : {};
  const areNames = (names: unknown[], fits: (name: string) => boolean) => names.every((name) => typeof name === "string" && fits(name));
  if (
    typeof owner === "string" &&
    isObject(files) &&
    areNames(Object.keys(files), (name) => TEMPORARY_NAME.test(name) && isPlainName(name.slice(1))) &&
    areNames(Object.values(files), (name) => isPlainName(name) || name === TOOL_TEMPLATE_FILE) &&
    Array.isArray(removed) &&
    areNames(removed, (name) => WEIGHT_FILE_NAME.test(name))
  ) {
    return journal as unknown as Journal;
  }
  throw new Error(`${JOURNAL_FILE}: expected the journal of a save, got something else (remove the file if no save is running)`);
}

function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Performs the remaining steps of a journal. Another process may be doing the same. */
async function applyJournal(directory: string, text: string): Promise<void> {
  const { files, removed } = parseJournal(text);
  const at = (file: string) => join(directory, file);
  const isDue = async () => (await readFile(at(JOURNAL_FILE), "utf8").catch(() => undefined)) === text;
  // If the temporary file of an entry file is gone, the entry file has already been replaced.
  const waiting = new Set(await readdir(directory));
  const replaced = Object.entries(files).filter(([temporary, file]) => ENTRY_FILES.includes(file) && waiting.has(temporary));
  const old = [...replaced.map(([, file]) => file), ...removed];
  old.sort((a, b) => Number(ENTRY_FILES.includes(b)) - Number(ENTRY_FILES.includes(a)));
  for (const file of old) if (await isDue()) await rm(at(file), { force: true });
  await syncDirectory(directory);
  for (const [temporary, file] of Object.entries(files)) {
    await rename(at(temporary), at(file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
  await syncDirectory(directory);
  if (await isDue()) await rm(at(JOURNAL_FILE), { force: true });
  await syncDirectory(directory);
}

/** Removes temporary files of saves whose process has ended. Call {@link finishPendingSave} first. */
export async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, , host, pid, start] = TEMPORARY_NAME.exec(name) ?? [];
    if (host === undefined && !UNOWNED_TEMPORARY_NAME.test(name)) continue;
    const running = host === undefined ? undefined : isRunning(`${host}.${pid}.${start}`);
    if (running) continue;
    try {
      const age = Date.now() - (await stat(join(directory, name))).mtimeMs;
      if (running === false || age > ABANDONED_MS) await unlink(join(directory, name));
    } catch {}
  }
}

/** Flushes renames in a directory to the disk. Errors are ignored, because some systems neither support nor need it. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

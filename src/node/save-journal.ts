// How a save replaces a checkpoint as a whole. Its files are complete under temporary names when the journal appears, in one renaming: from
// then on the checkpoint is the new one. Giving the files their names is left to this process, or to whoever opens the directory after its end.

import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { link, open, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isObject } from "../base/json.js";
import { INDEX_FILE, WEIGHTS_FILE } from "../checkpoint/shards.js";
import { isPlainName, TOOL_TEMPLATE_FILE } from "../io/byte-source.js";

/** In the directory from the moment at which the new checkpoint counts until all of its files have their names. */
export const JOURNAL_FILE = ".lightning-m1-save.json";

/** What is left to do. */
interface Journal {
  /** Process that does it. */
  readonly owner: string;
  /** Final names by temporary name; the one that names or holds all weights comes last. */
  readonly files: Readonly<Record<string, string>>;
  /** Files of the checkpoint before. */
  readonly removed: readonly string[];
}

/** Weights under the names that every loader looks for. */
export const WEIGHT_FILE_NAME = /^model(-\d+-of-\d+)?\.safetensors(\.index\.json)?$/;

/** Files that loaders look for first. Without them, no loader takes shards of two checkpoints for one. */
const ENTRY_FILES: readonly string[] = [INDEX_FILE, WEIGHTS_FILE];

const MAX_JOURNAL_BYTES = 1 << 24;

/** After this time a journal counts as left behind, whatever is known of its process: giving names takes seconds at most. */
const STALE_MS = 60_000;

/** After this time so do temporary files of processes of other machines, and of versions that did not name theirs. */
const ABANDONED_MS = 7 * 24 * 3_600_000;

const HOST_HASH = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const TEMPORARY_NAME = /^\.(.+)\.([0-9a-f]{8})\.(\d+)\.(\d*)\.[0-9a-f-]{36}\.tmp$/;
const UNOWNED_TEMPORARY_NAME = /^\.(.+\.(safetensors|json|jinja)|merges\.txt)\.[0-9a-f-]{36}\.tmp$/;

/** This process: machine, number, and when it began where that can be learned. */
function processIdentity(): string {
  return `${HOST_HASH}.${process.pid}.${processStart(process.pid) ?? ""}`;
}

/** Clock ticks from the machine's start to the process's, on Linux; empty elsewhere, undefined for a process that has ended. */
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

/** Whether a process goes on; undefined for one of another machine. */
function isRunning(owner: string): boolean | undefined {
  const [host, pid, start] = owner.split(".");
  if (host !== HOST_HASH) return undefined;
  const now = processStart(Number(pid));
  return now !== undefined && (now === start || !start || !now);
}

/** A name beside the final one that tells whose it is. */
export function temporaryName(file: string): string {
  return `.${file}.${processIdentity()}.${randomUUID()}.tmp`;
}

/**
 * Makes complete temporary files the directory's checkpoint.
 *
 * @param files final names by temporary name
 * @param removed files of the checkpoint before that have no successor of their name
 * @param onCommitted called when the files are the checkpoint, with names or without: nothing may remove them from then on
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
      `the save is complete but not all files have their names (${(cause as Error).message}); loading or saving there again goes on`,
      {
        cause,
      },
    );
  }
}

/** Gives the journal its name unless there is one. Where links cannot be made, a second save at the same moment goes unnoticed. */
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

/** Waits for a save that gives its files their names, or does it in place of a process that has ended. */
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

/** @throws {Error} text that no save wrote: a directory from elsewhere must not have files renamed or removed but its own weights */
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
  throw new Error(`${JOURNAL_FILE}: expected what a save left there, got something else (remove it if nothing is being saved)`);
}

function parseJsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a journal says, as far as it is not done. Another process may be doing the same. */
async function applyJournal(directory: string, text: string): Promise<void> {
  const { files, removed } = parseJournal(text);
  const at = (file: string) => join(directory, file);
  const isDue = async () => (await readFile(at(JOURNAL_FILE), "utf8").catch(() => undefined)) === text;
  // An entry that is there already after a renaming is the new one.
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

/** Removes temporary files of saves whose process has ended; call {@link finishPendingSave} first. */
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

/** Makes renamings last; some systems cannot, and need not. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

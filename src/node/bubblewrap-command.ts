import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { SandboxError } from "../base/errors.js";
import type { ProcessLimits } from "../base/sandbox.js";

/** The first version with all arguments that are used here. */
const OLDEST = [0, 8];
/** User and group of processes if this process is root: no files belong to them, and the kernel's limit of processes holds for them. */
const NOBODY = 65534;
/** Threads that a process of Node may start. */
const THREADS = 24;
const OPEN_FILES = 256;
/** Private memory that Node reserves without using it. */
const RESERVED_BYTES = 256 * 2 ** 20;

export interface BubblewrapCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** The user that must run the command. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * Returns the command that runs a script, which it reads from file descriptor 5. It writes the id of the first process to descriptor 4.
 *
 * @throws {SandboxError} the system has no bubblewrap, or an old one
 */
export async function bubblewrapCommand(limits: ProcessLimits): Promise<BubblewrapCommand> {
  if (process.platform !== "linux") {
    throw new SandboxError(`bubblewrap: expected Linux, got ${process.platform} (use the runtime quickjs)`);
  }
  const [file, prlimit] = [findProgram("bwrap", "bubblewrap"), findProgram("prlimit", "util-linux")];
  await checkVersion(file);
  const mebibytes = Math.max(16, Math.floor(limits.memoryBytes / 2 ** 20));
  const most = (name: string, value: number) => `--${name}=${value}:${value}`;
  const args = [
    // The kernel's view: own processes, network without devices, users, host name, and no more namespaces inside.
    ...["--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"],
    // The end of this process or of the first process ends all.
    ...["--die-with-parent", "--new-session", "--as-pid-1", "--clearenv", "--cap-drop", "ALL"],
    // Files: the libraries, Node, and a temporary file system. No other programs, devices, processes or settings of the system.
    ...["/usr/lib", "/usr/lib64", "/lib", "/lib64"].flatMap((path) => ["--ro-bind-try", path, path]),
    ...["--ro-bind", process.execPath, "/node", "--ro-bind", prlimit, "/prlimit", "--ro-bind-data", "5", "/main.cjs"],
    ...["--dev-bind", "/dev/null", "/dev/null", "--dev-bind", "/dev/urandom", "/dev/urandom"],
    ...["--size", String(limits.fileBytes), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"],
    ...["--setenv", "HOME", "/tmp", "--setenv", "TMPDIR", "/tmp", "--setenv", "UV_THREADPOOL_SIZE", "2"],
    ...["--info-fd", "4", "--"],
    // Limits of each process. Those of all together are watched from outside.
    ...["/prlimit", most("cpu", Math.ceil(limits.cpuMs / 1000) + 3), most("data", limits.memoryBytes + RESERVED_BYTES)],
    ...[most("nproc", limits.processes * THREADS), most("fsize", limits.fileBytes), most("nofile", OPEN_FILES), most("core", 0), "--"],
    ...["/node", "--no-warnings", "--no-addons", "--experimental-vm-modules", `--max-old-space-size=${mebibytes}`],
    ...permissionFlags(process.versions.node, limits.processes > 1),
    "/main.cjs",
  ];
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : undefined;
  return { file, args, user };
}

/** Node's own permissions: no debugger, no native code, and no processes or threads unless they are allowed. The view limits files. */
function permissionFlags(version: string, processes: boolean): string[] {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  const stable = major >= 24 || (major === 23 && minor >= 5) || (major === 22 && minor >= 13);
  return [
    ...[stable ? "--permission" : "--experimental-permission", "--allow-fs-read=*", "--allow-fs-write=*"],
    ...(processes ? ["--allow-child-process", "--allow-worker"] : []),
  ];
}

function findProgram(name: string, debianPackage: string): string {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/bin", "/bin"].filter(Boolean);
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  throw new SandboxError(
    `bubblewrap: expected the program ${name}, got none in PATH (apt-get install ${debianPackage}, or use the runtime quickjs)`,
  );
}

const checked = new Map<string, Promise<void>>();

function checkVersion(file: string): Promise<void> {
  const known = checked.get(file) ?? readVersion(file);
  checked.set(file, known);
  return known;
}

async function readVersion(file: string): Promise<void> {
  const { stdout } = await promisify(execFile)(file, ["--version"]).catch((cause) => {
    throw startFailure(cause);
  });
  const version = /(\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number) as [number, number] | undefined;
  if (!version || version[0] < OLDEST[0]! || (version[0] === OLDEST[0] && version[1] < OLDEST[1]!)) {
    throw new SandboxError(
      `bubblewrap: expected version ${OLDEST.join(".")} or later, got ${stdout.trim()} (update the package bubblewrap)`,
    );
  }
}

/** Turns the message of a sandbox that did not start into an error with the remedy. */
export function startFailure(cause: Error): SandboxError {
  const remedy = /RTM_NEWADDR|uid map|gid map|setgroups/.test(cause.message)
    ? "AppArmor forbids user namespaces, as on Ubuntu 24.04: add a profile for bwrap that allows userns, or sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    : /namespace|Operation not permitted|EPERM|clone|unshare/i.test(cause.message)
      ? "in Docker: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined; elsewhere: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000"
      : "run bwrap --unshare-all --ro-bind / / true to see whether it works here, or use the runtime quickjs";
  return new SandboxError(`bubblewrap: the sandbox does not start: ${cause.message.slice(0, 1000)} (${remedy})`, { cause });
}

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe } from "vitest";

const hasBubblewrap = ["/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap"].some(existsSync);
if (process.env.REQUIRE_SANDBOX && !hasBubblewrap) {
  throw new Error("tests: REQUIRE_SANDBOX is set and bubblewrap was not found (apt-get install bubblewrap)");
}

/** The runtimes that this machine has. Without bubblewrap, its tests are skipped unless REQUIRE_SANDBOX is set. */
export const runtimes = hasBubblewrap ? (["quickjs", "bubblewrap"] as const) : (["quickjs"] as const);
export const describeBubblewrap = describe.runIf(hasBubblewrap);

/** Command lines of all processes of this machine. */
export function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(commandLine);
}

/** Command lines of the processes that this process has started. */
export function childCommandLines(): string[] {
  return readdirSync("/proc/self/task")
    .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" "))
    .filter(Boolean)
    .map(commandLine);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

import { readdirSync, readFileSync } from "node:fs";

/** Processor time and memory of processes. */
export interface Usage {
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

/** The kernel counts processor time in steps of 10 ms and memory in pages, on all processors that Node runs on. */
const [TICK_MS, PAGE_BYTES] = [10, 4096];

/** Adds up the usage of a process and of all its descendants. A process that has ended counts as nothing. */
export function readUsage(pid: number | undefined): Usage {
  let [cpuMs, memoryBytes] = [0, 0];
  const pending = pid === undefined ? [] : [pid];
  // The limit is far above what a sandbox allows.
  for (let i = 0; i < pending.length && i < 10_000; i++) {
    const folder = `/proc/${pending[i]}`;
    try {
      // The name of the process, in parentheses, may contain any characters. Time of ended children is included.
      const stat = readFileSync(`${folder}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      for (const at of [11, 12, 13, 14]) cpuMs += Number(fields[at]) * TICK_MS;
      memoryBytes += Number(readFileSync(`${folder}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
      for (const task of readdirSync(`${folder}/task`)) {
        const children = readFileSync(`${folder}/task/${task}/children`, "utf8");
        pending.push(...children.split(" ").filter(Boolean).map(Number));
      }
    } catch {
      // The process has ended, or the kernel does not list children.
    }
  }
  return { cpuMs, memoryBytes };
}

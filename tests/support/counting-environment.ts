import { type Environment, ToolError, toolEnvironment } from "../../src/environments/index.js";
import type { ServedEnvironment } from "../../src/serve/index.js";

export interface CountRow {
  readonly id: string;
  readonly target: number;
}

/** What happened to the episodes of {@link counting}. */
export interface CountingLog {
  started: number;
  disposed: number;
}

/** An environment whose model has to count up to a number with a tool. Some words make it slow or fail. */
export function counting(log: CountingLog = { started: 0, disposed: 0 }): Environment<CountRow> {
  return toolEnvironment<CountRow, { at: number }>({
    name: "counting",
    weights: { right: 2 },
    tools: [
      {
        name: "add",
        description: "Adds to the counter",
        parameters: { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false },
        async run(state, { n }: { n: number }, { signal }) {
          if (n === 13) throw new Error("secret path /etc/shadow");
          if (n === 14) throw new ToolError("14 is not allowed");
          // A slow call. 15 listens to the signal, 16 does not.
          if (n === 15) {
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          }
          if (n === 16) await new Promise(() => {});
          if (n === 17 || n === 18) await new Promise((resolve) => setTimeout(resolve, n === 17 ? 100 : 500));
          state.at += n;
          return state.at;
        },
      },
    ],
    start({ target }) {
      log.started++;
      if (target < 0) throw new Error("a broken row");
      return { at: 0 };
    },
    messages: ({ target }) => [{ role: "user", content: `Count to ${target}.` }],
    score({ target }, { at }, { final }) {
      return { rewards: { right: final?.content === "broken judge" ? null : Number(at === target) }, metrics: { at } };
    },
    dispose: () => void log.disposed++,
  });
}

export const countRows: readonly CountRow[] = [1, 2, 3, 4].map((target) => ({ id: `c${target}`, target }));

export const served = (log?: CountingLog): ServedEnvironment => ({
  environment: counting(log),
  rows: countRows,
  description: "Counts with a tool",
});

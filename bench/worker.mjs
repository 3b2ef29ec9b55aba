// The process of one contestant. On requests of the parent process it sets the contestant up, prepares a task, checks the result once, and
// times runs.
import { tasks } from "./tasks.mjs";

const MAX_WARM_RUNS = 3000;
let contestant;
let prepared;

const operations = {
  async setup({ module, options }) {
    contestant = await import(module);
    return { info: await contestant.setup(options) };
  },

  /** Prepares a task. `once` in the result is the time of a warm run in milliseconds. */
  async prepare({ task, warmMs }) {
    const { inputs, check } = tasks[task.kind](task);
    prepared = await contestant.prepare(task, ...inputs);
    await prepared.run();
    const note = prepared.result && check(prepared);
    let once = 0;
    const begin = performance.now();
    for (let i = 0; i < MAX_WARM_RUNS && (i === 0 || performance.now() - begin < warmMs * 4); i++) {
      const start = performance.now();
      await prepared.run();
      once = performance.now() - start;
    }
    return { once: Math.max(once, 1e-3), note };
  },

  /** Measures milliseconds per run. If the contestant reports parts of a run, measures them separately. */
  async measure({ repeats }) {
    const begin = performance.now();
    const parts = [];
    for (let i = 0; i < repeats; i++) {
      const running = prepared.run();
      // The time of a synchronous contestant must not include a turn of the event loop.
      const times = running instanceof Promise ? await running : running;
      if (times) parts.push(times);
    }
    if (parts.length === 0) return { times: { run: (performance.now() - begin) / repeats } };
    const mean = (part) => parts.reduce((sum, times) => sum + times[part], 0) / repeats;
    return { times: Object.fromEntries(Object.keys(parts[0]).map((part) => [part, mean(part)])) };
  },

  /** Ends a task. `report` is what the contestant reports about all its runs. */
  async release() {
    const report = prepared.report?.();
    await prepared.dispose?.();
    prepared = undefined;
    globalThis.gc();
    return { report };
  },
};

process.on("message", async (request) => {
  try {
    process.send(await operations[request.op](request));
  } catch (error) {
    process.send({ error: firstLines(error) });
  }
});

// The process ends with its parent, whatever threads of the contestant still run.
process.on("disconnect", () => process.exit());

function firstLines(error) {
  return String(error?.message ?? error)
    .split("\n")
    .slice(0, 2)
    .join(" ")
    .slice(0, 300);
}

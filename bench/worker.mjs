// The process of one contestant: sets it up, prepares a task, checks the result once and times runs, as the parent asks.
import { tasks } from "./tasks.mjs";

const MAX_WARM_RUNS = 3000;
let contestant;
let prepared;

const operations = {
  async setup({ module, options }) {
    contestant = await import(module);
    return { info: await contestant.setup(options) };
  },

  /** `once`: milliseconds of a warm run. */
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

  /** Milliseconds per run, or per part of a run where the contestant says which parts it has. */
  async measure({ repeats }) {
    const begin = performance.now();
    const parts = [];
    for (let i = 0; i < repeats; i++) {
      const running = prepared.run();
      // A synchronous contestant is not charged for a turn of the event loop.
      const times = running instanceof Promise ? await running : running;
      if (times) parts.push(times);
    }
    if (parts.length === 0) return { times: { run: (performance.now() - begin) / repeats } };
    const mean = (part) => parts.reduce((sum, times) => sum + times[part], 0) / repeats;
    return { times: Object.fromEntries(Object.keys(parts[0]).map((part) => [part, mean(part)])) };
  },

  /** `report`: what a contestant has to say about all its runs. */
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

// Without the parent there is nobody to work for, whatever threads of the contestant are still there.
process.on("disconnect", () => process.exit());

function firstLines(error) {
  return String(error?.message ?? error)
    .split("\n")
    .slice(0, 2)
    .join(" ")
    .slice(0, 300);
}

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { SandboxError } from "../base/errors.js";
import type { Sandbox, ThreadOptions } from "../base/sandbox.js";

/** Node's sandbox: processes of bubblewrap, and threads. */
export const sandbox: Sandbox = {
  async runProcess(request) {
    const [{ runInBubblewrap }, { source }] = await Promise.all([import("./bubblewrap.js"), import("../../build/test-process.js")]);
    return runInBubblewrap(`${source}${START_TESTS}`, request);
  },

  callThread,

  findPackage(name) {
    try {
      return import.meta.resolve(name);
    } catch {
      return undefined;
    }
  },
};

/** Starts the tests of a process with the parts of Node that they use. The functions for records are those of `channelScript`. */
const START_TESTS = `
const { exit } = process;
worker.runTestProcess({
  require,
  builtins: require("module").builtinModules,
  readInput,
  write: writeRecord,
  exit: (code) => exit.call(process, code),
});`;

/** Stack of a thread in MiB. Interpreters use it for their own recursion. */
const THREAD_STACK_MB = 16;
/** Time after which an unused thread ends. */
const IDLE_MS = 10_000;

/** Threads that wait for a request. */
const idle: { worker: Worker; timer: NodeJS.Timeout }[] = [];

async function takeThread(): Promise<Worker> {
  const taken = idle.pop();
  if (taken) {
    clearTimeout(taken.timer);
    forget(taken.worker);
    taken.worker.ref();
    return taken.worker;
  }
  const { source } = await import("../../build/quickjs-thread.js");
  const script = `const { parentPort } = require("node:worker_threads");${source};parentPort.on("message", async (request) => {
    try {
      const result = await worker.serve(request, (note) => parentPort.postMessage({ note }));
      parentPort.postMessage({ result });
    } catch (error) { parentPort.postMessage({ error: String(error) }); }
  });`;
  return new Worker(script, { eval: true, execArgv: [], env: {}, resourceLimits: { stackSizeMb: THREAD_STACK_MB } });
}

/** Removes the listeners of a call. Those that Node itself has on a worker must stay. */
function forget(worker: Worker): void {
  for (const event of ["message", "error", "exit"]) worker.removeAllListeners(event);
}

function returnThread(worker: Worker): void {
  if (idle.length >= availableParallelism()) return void worker.terminate();
  const remove = () => {
    const at = idle.findIndex((one) => one.worker === worker);
    if (at >= 0) idle.splice(at, 1);
  };
  const timer = setTimeout(() => {
    remove();
    void worker.terminate();
  }, IDLE_MS);
  timer.unref();
  worker.on("exit", remove);
  worker.on("error", remove);
  worker.unref();
  idle.push({ worker, timer });
}

/** Time in which a thread must start. */
const START_MS = 60_000;

async function callThread(request: object, { timeoutMs, signal, onNote }: ThreadOptions): Promise<unknown> {
  signal?.throwIfAborted();
  const worker = await takeThread();
  let reusable = false;
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  try {
    return await new Promise((resolve, reject) => {
      let started = false;
      worker.on("message", (message: { result: unknown } | { error: string } | { note: unknown }) => {
        if ("note" in message) {
          if (!started) {
            started = true;
            clearTimeout(timer);
            timer = setTimeout(() => resolve(undefined), timeoutMs);
          }
          onNote(message.note);
          return;
        }
        reusable = "result" in message;
        if ("result" in message) resolve(message.result);
        else reject(new SandboxError(`the thread of the interpreter failed: ${message.error}`));
      });
      worker.on("error", (cause) => reject(new SandboxError(`the thread of the interpreter ended: ${cause.message}`, { cause })));
      worker.on("exit", (code) => reject(new SandboxError(`the thread of the interpreter ended with exit code ${code}`)));
      timer = setTimeout(() => reject(new SandboxError("the thread of the interpreter does not start")), START_MS);
      abort = () => reject(signal!.reason);
      signal?.addEventListener("abort", abort);
      worker.postMessage(request);
    });
  } finally {
    clearTimeout(timer);
    if (abort) signal?.removeEventListener("abort", abort);
    forget(worker);
    if (reusable) returnThread(worker);
    else await worker.terminate();
  }
}

import * as v from "valibot";
import { endpointOf, startWorker } from "#worker";
import type { WorkerLike } from "../base/endpoint.js";
import { LightningError } from "../base/errors.js";
import { callback, expectArgument, flag, isObjectLike, parseOptions } from "../base/options.js";
import { checkLoadOptions, type LoadOptions } from "../checkpoint/load-options.js";
import type { CheckpointSource } from "../io/open-byte-source.js";
import type { ServeOptions } from "../serve/serve-options.js";
import { Caller, START_REMEDY, sendable } from "./caller.js";
import { type ModelEvent, PROTOCOL_VERSION } from "./protocol.js";
import { sendSource } from "./sent-source.js";
import { WorkerModel } from "./worker-model.js";

/** Options of `createWorkerModel`: those of `MiniMaxM1.load`, and those of the worker. */
export interface WorkerOptions extends LoadOptions {
  /**
   * Starts the worker, if its script cannot be found where it is expected. The script is `lightning-m1-worker.js` in the package's folder
   * `dist/standalone`, an ES module that imports `lightning-m1.js` beside it.
   */
  worker?: () => WorkerLike;
  /** Whether this thread gets a tokenizer too (false). Its vocabulary is then in memory twice. */
  tokenizer?: boolean;
  /** Options of the server behind `WorkerModel.fetch`. */
  serve?: Omit<ServeOptions, "onError" | "onRefusedOrigin">;
}

const schema = v.strictObject({
  worker: v.optional(callback<() => WorkerLike>(), () => startWorker),
  tokenizer: v.optional(flag, false),
  serve: v.optional(
    v.custom<object>((x) => isObjectLike(x) && typeof x !== "function", "an object"),
    {},
  ),
});

/**
 * Loads a model in a worker, or in a thread of Node, so that this thread stays free while the model computes.
 *
 * @param source as for `MiniMaxM1.load`. Blobs and Files are not copied. Relative URLs are relative to the page
 * @throws {LightningError} the worker does not start, or ends
 * @throws the errors of `MiniMaxM1.load`, and the signal's reason
 */
export async function createWorkerModel(source?: CheckpointSource, options: WorkerOptions = {}): Promise<WorkerModel> {
  expectArgument("createWorkerModel: options", isObjectLike(options), "an object", options);
  const { worker, tokenizer, serve, ...load } = options;
  checkLoadOptions(load);
  const own = parseOptions(schema, { worker, tokenizer, serve }, "createWorkerModel");
  const { signal, onProgress, onWarning, onKernel, ...plain } = load;
  signal?.throwIfAborted();
  const args = {
    version: PROTOCOL_VERSION,
    source: await sendSource(source),
    options: sendable(plain, "load: options"),
    kernels: onKernel !== undefined,
    tokenizer: own.tokenizer,
    serve: sendable(own.serve, "createWorkerModel: serve"),
  };
  signal?.throwIfAborted();
  const caller = new Caller(endpointOf(start(own.worker)), (event: ModelEvent) => {
    if ("progress" in event) onProgress?.(event.progress);
    else if ("warning" in event) onWarning?.(event.warning);
    else onKernel?.(event.kernel);
  });
  const abort = () => caller.close(signal?.reason);
  signal?.addEventListener("abort", abort);
  try {
    const facts = await caller.call("load", args);
    return await WorkerModel.create(caller, facts);
  } catch (error) {
    caller.close(error);
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function start(worker: () => WorkerLike): WorkerLike {
  try {
    const started = worker();
    expectArgument("createWorkerModel: worker", typeof started?.postMessage === "function", "a function that returns a Worker", started);
    return started;
  } catch (cause) {
    throw new LightningError(
      `worker: the worker could not be started: ${cause instanceof Error ? cause.message : cause}. ${START_REMEDY}`,
      { cause },
    );
  }
}

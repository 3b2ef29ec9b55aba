import type { Hono } from "hono";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { MiniMaxM1 } from "../minimax-m1.js";
import { MAX_MEMORY_BYTES } from "../runtime/heap.js";
import { AdmissionQueue } from "./admission-queue.js";
import { Metrics } from "./metrics.js";
import { RequestHandler } from "./request-handler.js";
import { RequestRegistry } from "./request-registry.js";
import { createRoutes } from "./routes.js";
import { parseGraceMs, parseServeOptions, type ServeOptions } from "./serve-options.js";

/**
 * Serves a model over OpenAI's HTTP interface, with vLLM's additions. `fetch` takes a `Request` and returns a `Response`, on any platform.
 *
 * Concurrent requests share the model's forward passes. Each gets the same answer as if it ran alone.
 */
export class Server {
  private readonly routes: Hono;
  private readonly admission: AdmissionQueue;
  private readonly metrics = new Metrics();
  private readonly requests: RequestRegistry;

  /** Creates a server. @throws {InputError} an unknown option or a value out of range */
  constructor(
    private readonly model: MiniMaxM1,
    options: ServeOptions = {},
  ) {
    expectArgument("Server: model", typeof model?.generate === "function" && isObjectLike(model.memory), "a MiniMaxM1", model);
    const settings = parseServeOptions(options);
    const { maxBatch, maxQueue, maxCacheBytes } = settings;
    const bytes = maxCacheBytes ?? Math.floor((MAX_MEMORY_BYTES - model.memory.usedBytes) / 2);
    const { metrics } = this;
    const admission = new AdmissionQueue({ sequences: maxBatch, bytes }, maxQueue);
    const requests = new RequestRegistry(settings.timeoutMs, metrics);
    const handler = new RequestHandler(model, settings, { admission, requests, metrics });
    this.admission = admission;
    this.requests = requests;
    const context = model.config.maxPositionEmbeddings;
    this.routes = createRoutes({ settings, context, handler, requests, metrics, metricsText: () => this.metricsText() });
  }

  /** Responds to a request. The promise never rejects. */
  readonly fetch = (request: Request, env?: unknown): Response | Promise<Response> => this.routes.fetch(request, env as object);

  /** Number of running and waiting requests. */
  get active(): number {
    return this.requests.size;
  }

  /**
   * Refuses new requests, waits up to `graceMs` for running requests to end, and then aborts them.
   *
   * @throws {InputError} an invalid time; the server then continues as before
   */
  async drain(graceMs: number): Promise<void> {
    await this.requests.drain(parseGraceMs(graceMs));
  }

  private metricsText(): string {
    const { admission, requests, model } = this;
    return this.metrics.text({
      running_sequences: ["Sequences that are being generated.", admission.running],
      waiting_requests: ["Requests that wait for admission.", admission.waiting],
      active_requests: ["Requests that run or wait.", requests.size],
      cache_bytes: ["Bytes reserved for the states of running sequences.", admission.bytes],
      memory_used_bytes: ["Used bytes of the model's memory, weights included.", model.memory.usedBytes],
    });
  }
}

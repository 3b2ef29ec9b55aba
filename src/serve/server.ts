import { type Context, Hono } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { getPath } from "hono/utils/url";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { Generation } from "../generate/generate.js";
import type { MiniMaxM1 } from "../minimax-m1.js";
import { cacheBytes } from "../model/cache.js";
import { MAX_BYTES } from "../runtime/memory.js";
import { ActiveRequest, ClientDisconnected } from "./active-request.js";
import { AdmissionQueue } from "./admission-queue.js";
import { corsMiddleware, parseOrigins } from "./cors.js";
import { HttpError, toHttpError } from "./http-error.js";
import { Metrics } from "./metrics.js";
import {
  chatPromptIds,
  encodePrompts,
  minimumTokens,
  type ParsedRequest,
  parseChatRequest,
  parseCompletionRequest,
  usageOf,
} from "./parsed-request.js";
import { readJsonBody } from "./request-body.js";
import { checkRequestSizes } from "./request-limits.js";
import { responseStream } from "./response-stream.js";
import { parseGraceMs, parseServeOptions, type ServeOptions, type ServeSettings } from "./serve-options.js";

/**
 * A model behind OpenAI's HTTP interface, with vLLM's additions: `fetch` answers a `Request` with a `Response`, on any platform. Requests
 * share the model's passes, and each gets what it would get alone.
 */
export class Server {
  /** Clients put a base address and a path together in more than one way: `/v1//models` and `/v1/models/` are `/v1/models`. */
  private readonly app = new Hono({
    getPath: (request) =>
      getPath(request)
        .replace(/\/{2,}/g, "/")
        .replace(/(.)\/$/, "$1"),
  });
  private readonly limits: ServeSettings;
  private readonly keys: readonly string[];
  private readonly admission: AdmissionQueue;
  private readonly metrics = new Metrics();
  private readonly works = new Set<ActiveRequest>();
  private readonly created = Math.floor(Date.now() / 1000);
  private draining = false;
  /** Requests whose prompts become ids. */
  private preparing = 0;
  /** Called when no request runs or waits any more. */
  private readonly idle: (() => void)[] = [];

  /** @throws {InputError} an unknown option or a value out of its range */
  constructor(
    private readonly model: MiniMaxM1,
    options: ServeOptions = {},
  ) {
    expectArgument("Server: model", typeof model?.generate === "function" && isObjectLike(model.memory), "a MiniMaxM1", model);
    this.limits = parseServeOptions(options);
    this.keys = [this.limits.apiKey].flat();
    const { maxBatch, maxQueue, maxCacheBytes } = this.limits;
    const bytes = maxCacheBytes ?? Math.floor((MAX_BYTES - model.memory.usedBytes) / 2);
    this.admission = new AdmissionQueue({ sequences: maxBatch, bytes }, maxQueue);
    this.route();
  }

  /** Answers a request. Never rejects. */
  readonly fetch = (request: Request, env?: unknown): Response | Promise<Response> => this.app.fetch(request, env as object);

  /** Requests that run or wait. */
  get active(): number {
    return this.works.size;
  }

  /**
   * Refuses new requests, waits until the others have ended, for at most so long, and then ends them.
   *
   * @throws {InputError} a time that is none; nothing is refused then
   */
  async drain(graceMs: number): Promise<void> {
    const grace = parseGraceMs(graceMs);
    this.draining = true;
    if (this.works.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const work of [...this.works]) work.abort(this.stopping());
      }, grace);
      this.idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /**
   * What a text or the ids of a full context take (4 bytes of text or 8 of JSON for a token, and room for escapes), but no more than is
   * parsed in a tenth of a second: that is the one step of a request whose length grows with its body and that cannot be interrupted.
   */
  private get maxBodyBytes(): number {
    return this.limits.maxBodyBytes ?? Math.min(2 ** 22, 2 ** 16 + 32 * this.model.config.maxPositionEmbeddings);
  }

  private stopping(): HttpError {
    return new HttpError(503, "stopping", "serve: expected a server that goes on, got one that is about to stop (come again later)", 5);
  }

  private route(): void {
    const { app, limits } = this;
    app.use(async (c, next) => {
      await next();
      this.metrics.countRequest(c.res.status);
    });
    app.onError((error) => this.refuse(error));
    app.notFound((c) =>
      this.refuse(
        new HttpError(
          404,
          "not_found",
          `${c.req.method} ${c.req.path}: expected /v1/models, /v1/completions, /v1/chat/completions, /health or /metrics`,
        ),
      ),
    );
    app.use(async (c, next) => {
      const { hostname } = new URL(c.req.url);
      if (limits.hosts && !limits.hosts.includes(hostname)) {
        throw new HttpError(403, "unknown_host", `request: host: expected ${limits.hosts.join(" or ")}, got ${hostname}`);
      }
      await next();
    });
    app.use(corsMiddleware(parseOrigins([limits.cors].flat()), limits.onRefusedOrigin));
    app.get("/health", (c) => (this.draining ? this.refuse(this.stopping()) : c.json({ status: "ok" })));
    app.use(async (c, next) => {
      await this.authorise(c);
      await next();
    });
    app.get("/metrics", (c) => c.text(this.measure(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }));
    const described = { id: limits.name, object: "model", created: this.created, owned_by: "lightning-m1" };
    const card = { ...described, max_model_len: this.model.config.maxPositionEmbeddings };
    app.get("/v1/models", (c) => c.json({ object: "list", data: [card] }));
    app.get("/v1/models/:name", (c) => {
      this.expectModel(c.req.param("name"));
      return c.json(card);
    });
    app.post("/v1/completions", (c) => this.answer(c, parseCompletionRequest));
    app.post("/v1/chat/completions", (c) => this.answer(c, (body) => parseChatRequest(this.model, body, limits.trustTemplates)));
    for (const path of ["/health", "/metrics", "/v1/models", "/v1/models/:name"]) app.all(path, (c) => this.refuseMethod(c, "GET"));
    for (const path of ["/v1/completions", "/v1/chat/completions"]) app.all(path, (c) => this.refuseMethod(c, "POST"));
  }

  private refuseMethod(c: Context, expected: string): Response {
    const { method, path } = c.req;
    const response = this.refuse(new HttpError(405, "method_not_allowed", `${method} ${path}: expected ${expected}`));
    response.headers.set("allow", expected);
    return response;
  }

  private refuse(error: unknown): Response {
    const refusal = toHttpError(error);
    if (refusal.status === 500) this.limits.onError(error);
    const headers = refusal.retryAfterSeconds === undefined ? undefined : { "retry-after": `${refusal.retryAfterSeconds}` };
    return Response.json(refusal.body, { status: refusal.status, headers });
  }

  /** @throws {HttpError} no key, or another */
  private async authorise(c: Context): Promise<void> {
    if (this.keys.length === 0) return;
    const given = bearer(c);
    const known = await Promise.all(this.keys.map((key) => timingSafeEqual(key, given ?? "")));
    if (given === undefined || !known.includes(true)) {
      throw new HttpError(
        401,
        "invalid_api_key",
        `request: authorization: expected "Bearer" and a key of this server, got ${given ? "another key" : "none"}`,
      );
    }
  }

  private expectModel(name: string | undefined): void {
    if (name === undefined || name === this.limits.name) return;
    throw new HttpError(
      404,
      "model_not_found",
      `model: expected ${JSON.stringify(this.limits.name)}, got ${JSON.stringify(name)} (/v1/models lists what is served)`,
    );
  }

  private measure(): string {
    const { admission, works, model } = this;
    return this.metrics.text({
      running_sequences: ["Sequences that are computed.", admission.running],
      waiting_requests: ["Requests that wait for room.", admission.waiting],
      active_requests: ["Requests that run or wait.", works.size],
      cache_bytes: ["Bytes set aside for the states of running sequences.", admission.bytes],
      memory_used_bytes: ["Bytes in use of the model's memory, weights included.", model.memory.usedBytes],
    });
  }

  /** Reads a request, waits for room, and answers it, at once or token by token. */
  private async answer(c: Context, read: (body: unknown) => ParsedRequest): Promise<Response> {
    if (this.draining) throw this.stopping();
    const work = this.register(c.req.raw.signal);
    try {
      const body = await readJsonBody(c.req.raw, this.maxBodyBytes);
      const { config, tokenizer } = this.model;
      checkRequestSizes(body, { context: config.maxPositionEmbeddings, vocabSize: config.vocabSize });
      const job = read(body);
      const { kind, params } = job;
      this.expectModel(params.model);
      const options = this.optionsOf(job);
      const client = this.clientOf(c);
      const prompts = await this.promptsOf(job, options.maxTokens, client, work);
      const applicant = { ...this.costOf(job, prompts.map(length), options.maxTokens), client };
      this.admission.checkCost(applicant.cost);
      const inputs = prompts.flatMap((prompt) => Array.from({ length: params.n }, () => prompt));
      // Refuses what cannot be worked with, and begins with the first token that is asked for.
      const generation = this.model.generateBatch(inputs, { ...options, signal: work.signal });
      work.freeAtEnd(generation);
      work.onEnd(await this.admission.enter(applicant, work.signal));
      this.metrics.promptTokens += prompts.reduce((sum, prompt) => sum + prompt.length, 0);
      const choices = inputs.map((prompt, index) => job.createChoice({ index, prompt, params, tokenizer }));
      const head = { id: `${kind.idPrefix}${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model: this.limits.name };
      const tokens = this.counted(generation, work);
      if (params.stream) {
        const body = responseStream(
          { job, prompts, head: { ...head, object: kind.chunkObject }, choices, tokens, work },
          { ...this.limits, cut: () => cut(c) },
        );
        return new Response(body, { headers: EVENT_STREAM });
      }
      let count = 0;
      for await (const token of tokens) {
        choices[token.index]!.push(token);
        count++;
      }
      work.signal.throwIfAborted();
      work.end();
      const written = choices.map((choice) => choice.result());
      return c.json({ ...head, object: kind.bodyObject, choices: written, usage: usageOf(prompts, count), ...chatPromptIds(job, prompts) });
    } catch (error) {
      work.end();
      throw error;
    }
  }

  /** Whoever asks: the key, where there are keys, and otherwise the address, where the platform tells it. */
  private clientOf(c: Context): string {
    if (this.keys.length > 0) return bearer(c) ?? "";
    const env = c.env as { incoming?: { socket?: { remoteAddress?: string } }; remoteAddr?: { hostname?: string } } | undefined;
    return env?.incoming?.socket?.remoteAddress ?? env?.remoteAddr?.hostname ?? "";
  }

  /** The ids of a request's prompts. What can be refused without them is refused before they are made. */
  private async promptsOf(
    job: ParsedRequest,
    maxTokens: number,
    client: string,
    { signal }: ActiveRequest,
  ): Promise<readonly (readonly number[])[]> {
    const { admission, limits, model } = this;
    const sequences = job.promptCount * job.params.n;
    admission.checkCost({ sequences, bytes: 0 });
    if (this.preparing >= limits.maxBatch + limits.maxQueue) throw admission.queueFullError(client);
    admission.checkQueue(client, sequences);
    this.preparing++;
    try {
      const inputs = await job.promptInputs();
      const fewest = inputs.map((input) => minimumTokens(model, input));
      admission.checkCost(this.costOf(job, fewest, maxTokens).cost);
      return await encodePrompts(model, inputs, signal);
    } finally {
      this.preparing--;
    }
  }

  /** The work on a request, counted until it ends; one that has ended already, because its client has gone, is not counted. */
  private register(client: AbortSignal): ActiveRequest {
    const work = new ActiveRequest(client, this.limits.timeoutMs);
    this.works.add(work);
    work.onEnd(() => {
      this.works.delete(work);
      if (work.signal.reason instanceof ClientDisconnected) this.metrics.cancelled++;
      if (this.works.size === 0) for (const resolve of this.idle.splice(0)) resolve();
    });
    return work;
  }

  private async *counted(generation: Generation, { startedAt }: ActiveRequest) {
    const { metrics } = this;
    let first = true;
    for await (const token of generation) {
      if (first) metrics.observeFirstToken((performance.now() - startedAt) / 1000);
      first = false;
      metrics.generatedTokens++;
      yield token;
    }
  }

  /** @throws {HttpError} more tokens than the server gives */
  private optionsOf({ params: { options } }: ParsedRequest) {
    const { maxTokens } = this.limits;
    if (options.maxTokens !== undefined && options.maxTokens > maxTokens) {
      throw new HttpError(400, "too_many_tokens", `max_tokens: expected at most ${maxTokens}, got ${options.maxTokens}`);
    }
    return { ...options, maxTokens: options.maxTokens ?? maxTokens };
  }

  /** The states at their longest, and the tokens that this takes. */
  private costOf({ params: { n } }: ParsedRequest, lengths: readonly number[], maxTokens: number) {
    const { config, transformer } = this.model;
    const longest = lengths.map((length) => Math.min(config.maxPositionEmbeddings, length + maxTokens));
    const sum = (of: (tokens: number) => number) => n * longest.reduce((total, tokens) => total + of(tokens), 0);
    return {
      cost: { sequences: n * lengths.length, bytes: sum((tokens) => cacheBytes(config, tokens, transformer.kv)) },
      tokens: sum((tokens) => tokens),
    };
  }
}

const EVENT_STREAM = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no" };

/** Ends the connection where the platform shows it: what is written already would wait for its reader for ever. */
function cut(c: Context): void {
  (c.env as { outgoing?: { destroy?(): void } } | undefined)?.outgoing?.destroy?.();
}

const length = ({ length }: { readonly length: number }): number => length;

function bearer(c: Context): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
}

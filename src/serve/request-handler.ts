import type { Context } from "hono";
import type { Generation } from "../generate/generate.js";
import type { MiniMaxM1 } from "../minimax-m1.js";
import { cacheBytes } from "../model/cache.js";
import type { ActiveRequest } from "./active-request.js";
import type { AdmissionQueue } from "./admission-queue.js";
import { clientOf } from "./authentication.js";
import { contextLengthExceeded, HttpError } from "./http-error.js";
import type { Metrics } from "./metrics.js";
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
import type { RequestRegistry } from "./request-registry.js";
import { responseStream } from "./response-stream.js";
import type { ServeSettings } from "./serve-options.js";

const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** Handles requests for completions. It reads a request, waits for its admission, generates, and responds with one body or a stream. */
export class RequestHandler {
  /** Number of requests whose prompts are being encoded. */
  private encoding = 0;
  private readonly keys: readonly string[];
  private readonly admission: AdmissionQueue;
  private readonly requests: RequestRegistry;
  private readonly metrics: Metrics;

  constructor(
    private readonly model: MiniMaxM1,
    private readonly settings: ServeSettings,
    shared: { readonly admission: AdmissionQueue; readonly requests: RequestRegistry; readonly metrics: Metrics },
  ) {
    this.keys = [settings.apiKey].flat();
    this.admission = shared.admission;
    this.requests = shared.requests;
    this.metrics = shared.metrics;
  }

  /** Handles `POST /v1/completions`. */
  completions(c: Context): Promise<Response> {
    return this.respond(c, parseCompletionRequest);
  }

  /** Handles `POST /v1/chat/completions`. */
  chatCompletions(c: Context): Promise<Response> {
    return this.respond(c, (body) => parseChatRequest(this.model, body, this.settings.trustTemplates));
  }

  /** Checks the model's name in a request. A request without a name is accepted. @throws {HttpError} another name than the model's */
  expectModel(name: string | undefined): void {
    if (name === undefined || name === this.settings.name) return;
    throw new HttpError(
      404,
      "model_not_found",
      `model: this server has no model ${JSON.stringify(name)} (expected ${JSON.stringify(this.settings.name)}, as /v1/models lists it)`,
    );
  }

  private async respond(c: Context, parse: (body: unknown) => ParsedRequest): Promise<Response> {
    this.requests.expectAccepting();
    const active = this.requests.register(c.req.raw.signal);
    try {
      const body = await readJsonBody(c.req.raw, this.maxBodyBytes);
      const { config, tokenizer } = this.model;
      checkRequestSizes(body, { context: config.maxPositionEmbeddings, vocabSize: config.vocabSize });
      const parsed = parse(body);
      const { kind, params } = parsed;
      this.expectModel(params.model);
      const options = this.generateOptions(parsed);
      const client = clientOf(c, this.keys);
      const prompts = await this.encodedPrompts(parsed, options.maxTokens, client, active.signal);
      const applicant = { ...this.costOf(parsed, prompts.map(length), options.maxTokens), client };
      this.admission.checkCost(applicant.cost);
      const inputs = prompts.flatMap((prompt) => Array.from({ length: params.n }, () => prompt));
      // This throws for invalid inputs at once. Nothing is computed before the first token is requested.
      const generation = this.model.generateBatch(inputs, { ...options, signal: active.signal });
      active.freeAtEnd(generation);
      active.onEnd(await this.admission.enter(applicant, active.signal));
      this.metrics.promptTokens += prompts.reduce((sum, prompt) => sum + prompt.length, 0);
      const choices = inputs.map((prompt, index) => parsed.createChoice({ index, prompt, params, tokenizer }));
      const head = { id: `${kind.idPrefix}${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model: this.settings.name };
      const tokens = this.countedTokens(generation, active);
      if (params.stream) {
        const body = responseStream(
          { parsed, prompts, head: { ...head, object: kind.chunkObject }, choices, tokens, active },
          { ...this.settings, closeConnection: () => closeConnection(c) },
        );
        return new Response(body, { headers: EVENT_STREAM_HEADERS });
      }
      let count = 0;
      for await (const token of tokens) {
        choices[token.index]!.push(token);
        count++;
      }
      active.signal.throwIfAborted();
      active.end();
      const results = choices.map((choice) => choice.result());
      const usage = usageOf(prompts, count);
      return c.json({ ...head, object: kind.bodyObject, choices: results, usage, ...chatPromptIds(parsed, prompts) });
    } catch (error) {
      active.end();
      throw error;
    }
  }

  /**
   * Default size limit of a body, in bytes. It has room for the text or the ids of a full context: 4 bytes of text or 8 of JSON per token,
   * and escapes. It is capped at the size that `JSON.parse` reads in a tenth of a second, because parsing cannot be interrupted.
   */
  private get maxBodyBytes(): number {
    return this.settings.maxBodyBytes ?? Math.min(2 ** 22, 2 ** 16 + 32 * this.model.config.maxPositionEmbeddings);
  }

  /** Encodes a request's prompts. All checks that need no ids run before. */
  private async encodedPrompts(
    parsed: ParsedRequest,
    maxTokens: number,
    client: string,
    signal: AbortSignal,
  ): Promise<readonly (readonly number[])[]> {
    const { admission, settings, model } = this;
    const sequences = parsed.promptCount * parsed.params.n;
    admission.checkCost({ sequences, bytes: 0 });
    if (this.encoding >= settings.maxBatch + settings.maxQueue) throw admission.queueFullError(client);
    admission.checkQueue(client, sequences);
    this.encoding++;
    try {
      const inputs = await parsed.promptInputs();
      const lengths = inputs.map((input) => minimumTokens(model, input));
      const context = model.config.maxPositionEmbeddings;
      for (const length of lengths) if (length >= context) throw contextLengthExceeded(context, `at least ${length}`);
      admission.checkCost(this.costOf(parsed, lengths, maxTokens).cost);
      return await encodePrompts(model, inputs, signal);
    } finally {
      this.encoding--;
    }
  }

  private async *countedTokens(generation: Generation, { startedAt }: ActiveRequest) {
    const { metrics } = this;
    let first = true;
    for await (const token of generation) {
      if (first) metrics.observeFirstToken((performance.now() - startedAt) / 1000);
      first = false;
      metrics.generatedTokens++;
      yield token;
    }
  }

  /** Returns the generation options of a request. @throws {HttpError} `max_tokens` above the server's limit */
  private generateOptions({ params: { options } }: ParsedRequest) {
    const { maxTokens } = this.settings;
    if (options.maxTokens !== undefined && options.maxTokens > maxTokens) {
      throw new HttpError(
        400,
        "too_many_tokens",
        `max_tokens: this server generates at most ${maxTokens} tokens per answer, got ${options.maxTokens}`,
      );
    }
    return { ...options, maxTokens: options.maxTokens ?? maxTokens };
  }

  /** Returns the maximum number of tokens that a request can reach, and the bytes of its states at that length. */
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

/** Closes the connection, if the platform provides it. This discards data that is written but not read, which would otherwise wait indefinitely. */
function closeConnection(c: Context): void {
  (c.env as { outgoing?: { destroy?(): void } } | undefined)?.outgoing?.destroy?.();
}

const length = ({ length }: { readonly length: number }): number => length;

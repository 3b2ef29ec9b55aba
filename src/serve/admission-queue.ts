import { HttpError } from "./http-error.js";

/** The resources that a request occupies while it runs. */
export interface RequestCost {
  readonly sequences: number;
  /** Bytes of the sequences' states at their maximum length. */
  readonly bytes: number;
}

export interface AdmissionRequest {
  readonly cost: RequestCost;
  /** Maximum number of tokens of the request's prompts and answers. It measures the work of the request. */
  readonly tokens: number;
  /** Identifies the client, so that the queue can be fair to all clients. */
  readonly client: string;
}

interface WaitingRequest extends AdmissionRequest {
  /** Priority of the request. The request with the lowest tag is admitted first. */
  readonly tag: number;
  readonly mayUseSpare: boolean;
  /** Number of requests that were admitted before this one arrived. */
  readonly admittedBefore: number;
  admit(): void;
}

/** Maximum number of tokens, prompt and answer together, of a request that may use spare places. */
const MAX_SPARE_TOKENS = 512;

/**
 * Maximum number of requests that may overtake a request. A request that so many have overtaken is admitted next, regardless of its cost.
 */
const MAX_OVERTAKES = 256;

/**
 * Admits requests while there is room for them, in a fair order (self-clocked fair queueing, Golestani 1994).
 *
 * An arriving request gets the tag v + tokens · (number of running and waiting requests of its client, including itself), where v is the
 * tag of the request that was admitted last. The lowest tag is admitted first. Therefore short requests come before long ones, many
 * requests of one client do not delay another client, and equal requests of one client keep their order.
 *
 * In addition to the places of the limit, there are a quarter more spare places. They are for short requests, and for clients without
 * another request. Such requests start even if long answers occupy all other places.
 */
export class AdmissionQueue {
  private readonly used = { sequences: 0, spare: 0, bytes: 0 };
  private readonly queue: WaitingRequest[] = [];
  /** The number of requests that run or wait, by client. */
  private readonly activeByClient = new Map<string, number>();
  private admittedTag = 0;
  private admitted = 0;
  private meanSeconds = 1;
  private readonly spareSequences: number;

  constructor(
    readonly limit: RequestCost,
    private readonly maxWaiting: number,
  ) {
    this.spareSequences = Math.floor(limit.sequences / 4);
  }

  /** The number of running sequences. */
  get running(): number {
    return this.used.sequences + this.used.spare;
  }

  /** Bytes that are reserved for the states of running sequences. */
  get bytes(): number {
    return this.used.bytes;
  }

  /** The number of waiting requests. */
  get waiting(): number {
    return this.queue.length;
  }

  /**
   * Waits until the request is admitted.
   *
   * @returns a function that releases the request's resources
   * @throws {HttpError} a request that can never fit, or a full queue; the signal's reason
   */
  async enter(request: AdmissionRequest, signal: AbortSignal): Promise<() => void> {
    this.checkCost(request.cost);
    signal.throwIfAborted();
    const release = await this.wait(request, signal);
    const begin = performance.now();
    return () => {
      this.meanSeconds += 0.2 * ((performance.now() - begin) / 1000 - this.meanSeconds);
      release();
      this.admitWaiting();
    };
  }

  /** Checks that a request can fit at all. @throws {HttpError} it cannot */
  checkCost({ sequences, bytes }: RequestCost): void {
    const { limit } = this;
    if (sequences > limit.sequences) {
      throw new HttpError(
        400,
        "too_many_choices",
        `n: this server generates at most ${limit.sequences} answers per request (prompts times n), got ${sequences}`,
      );
    }
    if (bytes > limit.bytes) {
      throw new HttpError(
        400,
        "too_long",
        `max_tokens: prompt and answer would take ${bytes} bytes of memory, and this server has ${limit.bytes} for a request. ` +
          "Ask for fewer tokens, or shorten the prompt.",
      );
    }
  }

  /** Checks that the queue has room, if a request of this client would have to wait. @throws {HttpError} the queue is full */
  checkQueue(client: string, sequences: number): void {
    const mayRun = this.queue.length === 0 && this.used.sequences + sequences <= this.limit.sequences;
    if (!mayRun && this.used.spare + sequences > this.spareSequences && this.queue.length >= this.queueCapacity(client))
      throw this.queueFullError(client);
  }

  /**
   * Returns the maximum number of waiting requests at which a request of this client may still join the queue. For a client without another
   * request, it is a quarter more.
   */
  private queueCapacity(client: string): number {
    return this.maxWaiting + (this.activeByClient.has(client) ? 0 : Math.floor(this.maxWaiting / 4));
  }

  queueFullError(client: string): HttpError {
    return new HttpError(
      429,
      "queue_full",
      `the server is busy and its queue is full (${this.queueCapacity(client)} waiting requests at most); retry later`,
      Math.max(1, Math.ceil(this.meanSeconds)),
    );
  }

  /** Resolves when the request is admitted. The value is a function that releases its resources. */
  private wait(request: AdmissionRequest, signal: AbortSignal): Promise<() => void> {
    const { client, cost, tokens } = request;
    const capacity = this.queueCapacity(client);
    const others = this.activeByClient.get(client) ?? 0;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.remove(waiting);
        this.countActive(client, -1);
        reject(signal.reason);
        this.admitWaiting();
      };
      const admit = () => {
        signal.removeEventListener("abort", leave);
        const place = this.fits(waiting, "sequences") ? "sequences" : "spare";
        this.used[place] += cost.sequences;
        this.used.bytes += cost.bytes;
        resolve(() => {
          this.used[place] -= cost.sequences;
          this.used.bytes -= cost.bytes;
          this.countActive(client, -1);
        });
      };
      const waiting: WaitingRequest = {
        ...request,
        tag: this.admittedTag + tokens * (others + 1),
        mayUseSpare: others === 0 || tokens <= MAX_SPARE_TOKENS,
        admittedBefore: this.admitted,
        admit,
      };
      this.countActive(client, 1);
      const before = this.queue.findIndex(({ tag }) => tag > waiting.tag);
      this.queue.splice(before < 0 ? this.queue.length : before, 0, waiting);
      signal.addEventListener("abort", leave, { once: true });
      this.admitWaiting();
      if (this.queue.length <= capacity || !this.queue.includes(waiting)) return;
      signal.removeEventListener("abort", leave);
      this.remove(waiting);
      this.countActive(client, -1);
      reject(this.queueFullError(client));
    });
  }

  private admitWaiting(): void {
    for (let next = this.nextWaiting(); next; next = this.nextWaiting()) {
      this.remove(next);
      this.admittedTag = Math.max(this.admittedTag, next.tag);
      this.admitted++;
      next.admit();
    }
  }

  /** Returns the request to admit next: the first request if it fits, otherwise the first one that fits into spare places. */
  private nextWaiting(): WaitingRequest | undefined {
    const overdue = this.queue.find(({ admittedBefore }) => this.admitted - admittedBefore >= MAX_OVERTAKES);
    const first = overdue ?? this.queue[0];
    if (!first || this.fits(first, "sequences")) return first;
    return overdue ? undefined : this.queue.find((one) => this.fits(one, "spare"));
  }

  private fits({ cost: { sequences, bytes }, mayUseSpare }: WaitingRequest, place: "sequences" | "spare"): boolean {
    const { used, limit } = this;
    if (used.bytes + bytes > limit.bytes) return false;
    return place === "sequences"
      ? used.sequences + sequences <= limit.sequences
      : mayUseSpare && used.spare + sequences <= this.spareSequences;
  }

  private remove(waiting: WaitingRequest): void {
    this.queue.splice(this.queue.indexOf(waiting), 1);
  }

  private countActive(client: string, change: 1 | -1): void {
    const now = (this.activeByClient.get(client) ?? 0) + change;
    if (now > 0) this.activeByClient.set(client, now);
    else this.activeByClient.delete(client);
  }
}

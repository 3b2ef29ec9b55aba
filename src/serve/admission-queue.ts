import { HttpError } from "./http-error.js";

/** What a request takes while it runs. */
export interface RequestCost {
  readonly sequences: number;
  /** Of their states, at their longest. */
  readonly bytes: number;
}

/** A request that wants to run. */
export interface AdmissionRequest {
  readonly cost: RequestCost;
  /** Expected work: tokens of prompts and answers, at most. */
  readonly tokens: number;
  /** Who asks: requests of one client share what other clients leave. */
  readonly client: string;
}

interface WaitingRequest extends AdmissionRequest {
  /** Those with the lowest tag run first. */
  readonly tag: number;
  /** May take a spare place. */
  readonly quick: boolean;
  /** Requests that were admitted before it came. */
  readonly admittedBefore: number;
  admit(): void;
}

/** A request of at most so many tokens, prompt and answer, may take a spare place. */
const QUICK_TOKENS = 512;

/** Requests that may be admitted while one waits; after that it is the next, whatever it costs. */
const MAX_OVERTAKES = 256;

/**
 * Who may run: as many as there is room for, in a fair order (self-clocked fair queueing, Golestani 1994).
 *
 * A request that comes is given the tag v + tokens · (requests of its client that run or wait, itself included), where v is the tag that
 * was admitted last, and the lowest tag is admitted first. So a short request comes before long ones, one client's flood does not
 * delay another client, and equal requests of one client keep their order.
 *
 * A quarter of the sequences is spare on top of the limit: for requests that are short, and for clients of whom nothing runs or waits
 * yet. They begin although every place is taken by long answers.
 */
export class AdmissionQueue {
  private readonly used = { sequences: 0, spare: 0, bytes: 0 };
  private readonly queue: WaitingRequest[] = [];
  /** Requests that run or wait, by client. */
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

  /** Sequences that run. */
  get running(): number {
    return this.used.sequences + this.used.spare;
  }

  /** Bytes set aside for their states. */
  get bytes(): number {
    return this.used.bytes;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.queue.length;
  }

  /**
   * Waits for room, and gives the function that makes it free again.
   *
   * @throws {HttpError} it would never fit, or too many wait already; the signal's reason
   */
  async enter(applicant: AdmissionRequest, signal: AbortSignal): Promise<() => void> {
    this.checkCost(applicant.cost);
    signal.throwIfAborted();
    const release = await this.wait(applicant, signal);
    const begin = performance.now();
    return () => {
      this.meanSeconds += 0.2 * ((performance.now() - begin) / 1000 - this.meanSeconds);
      release();
      this.admitNext();
    };
  }

  /** @throws {HttpError} more than would ever fit */
  checkCost({ sequences, bytes }: RequestCost): void {
    const { limit } = this;
    if (sequences > limit.sequences) {
      throw new HttpError(400, "too_many_choices", `n: expected at most ${limit.sequences} answers (prompts times n), got ${sequences}`);
    }
    if (bytes > limit.bytes) {
      throw new HttpError(
        400,
        "too_long",
        `max_tokens: expected states of at most ${limit.bytes} bytes, got ${bytes} for prompt and answer (fewer tokens)`,
      );
    }
  }

  /** @throws {HttpError} too many wait already, and one more of this client would have to wait as well */
  checkQueue(client: string, sequences: number): void {
    const mayRun = this.queue.length === 0 && this.used.sequences + sequences <= this.limit.sequences;
    if (!mayRun && this.used.spare + sequences > this.spareSequences && this.queue.length >= this.queueCapacity(client))
      throw this.queueFullError(client);
  }

  /** Requests that may wait if one of this client comes: a quarter more for those of whom nothing runs or waits. */
  private queueCapacity(client: string): number {
    return this.maxWaiting + (this.activeByClient.has(client) ? 0 : Math.floor(this.maxWaiting / 4));
  }

  /** What a client is told if too many wait. */
  queueFullError(client: string): HttpError {
    return new HttpError(
      429,
      "queue_full",
      `serve: expected at most ${this.queueCapacity(client)} requests waiting, got one more (come again later)`,
      Math.max(1, Math.ceil(this.meanSeconds)),
    );
  }

  /** @returns what gives its place back, once it has one */
  private wait(applicant: AdmissionRequest, signal: AbortSignal): Promise<() => void> {
    const { client, cost, tokens } = applicant;
    const room = this.queueCapacity(client);
    const others = this.activeByClient.get(client) ?? 0;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.remove(waiting);
        this.count(client, -1);
        reject(signal.reason);
        this.admitNext();
      };
      const admit = () => {
        signal.removeEventListener("abort", leave);
        const place = this.fits(waiting, "sequences") ? "sequences" : "spare";
        this.used[place] += cost.sequences;
        this.used.bytes += cost.bytes;
        resolve(() => {
          this.used[place] -= cost.sequences;
          this.used.bytes -= cost.bytes;
          this.count(client, -1);
        });
      };
      const waiting: WaitingRequest = {
        ...applicant,
        tag: this.admittedTag + tokens * (others + 1),
        quick: others === 0 || tokens <= QUICK_TOKENS,
        admittedBefore: this.admitted,
        admit,
      };
      this.count(client, 1);
      const before = this.queue.findIndex(({ tag }) => tag > waiting.tag);
      this.queue.splice(before < 0 ? this.queue.length : before, 0, waiting);
      signal.addEventListener("abort", leave, { once: true });
      this.admitNext();
      if (this.queue.length <= room || !this.queue.includes(waiting)) return;
      signal.removeEventListener("abort", leave);
      this.remove(waiting);
      this.count(client, -1);
      reject(this.queueFullError(client));
    });
  }

  private admitNext(): void {
    for (let next = this.next(); next; next = this.next()) {
      this.remove(next);
      this.admittedTag = Math.max(this.admittedTag, next.tag);
      this.admitted++;
      next.admit();
    }
  }

  /** The next to be admitted: the first if there is room for it, or else the first that a spare place is enough for. */
  private next(): WaitingRequest | undefined {
    const overdue = this.queue.find(({ admittedBefore }) => this.admitted - admittedBefore >= MAX_OVERTAKES);
    const first = overdue ?? this.queue[0];
    if (!first || this.fits(first, "sequences")) return first;
    return overdue ? undefined : this.queue.find((one) => this.fits(one, "spare"));
  }

  private fits({ cost: { sequences, bytes }, quick }: WaitingRequest, place: "sequences" | "spare"): boolean {
    const { used, limit } = this;
    if (used.bytes + bytes > limit.bytes) return false;
    return place === "sequences" ? used.sequences + sequences <= limit.sequences : quick && used.spare + sequences <= this.spareSequences;
  }

  private remove(waiting: WaitingRequest): void {
    this.queue.splice(this.queue.indexOf(waiting), 1);
  }

  private count(client: string, change: 1 | -1): void {
    const now = (this.activeByClient.get(client) ?? 0) + change;
    if (now > 0) this.activeByClient.set(client, now);
    else this.activeByClient.delete(client);
  }
}

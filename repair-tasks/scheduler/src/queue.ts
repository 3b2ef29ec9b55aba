import type { Clock } from "./clock.ts";
import { Heap } from "./heap.ts";

export interface Job {
  readonly id: string;
  /** Higher priorities run first; equal ones in the order of their arrival. */
  readonly priority?: number;
  /** Milliseconds until the job may run. */
  readonly delay?: number;
  /** Jobs that have to be finished before. */
  readonly after?: readonly string[];
}

interface Entry {
  readonly job: Job;
  readonly order: number;
  readonly due: number;
}

/** A queue of jobs with priorities, delays and dependencies. */
export class JobQueue {
  private readonly ready = new Heap<Entry>((a, b) => priorityOf(b) - priorityOf(a) || a.order - b.order);
  private readonly delayed = new Heap<Entry>((a, b) => a.due - b.due || a.order - b.order);
  private readonly blocked = new Map<string, { readonly entry: Entry; readonly missing: Set<string> }>();
  private readonly running = new Set<string>();
  private readonly finished = new Set<string>();
  private readonly known = new Set<string>();
  private arrivals = 0;

  constructor(
    private readonly clock: Clock,
    private readonly concurrency = Infinity,
  ) {}

  add(job: Job): void {
    if (this.known.has(job.id)) throw new Error(`job ${job.id} is already known`);
    this.known.add(job.id);
    const entry: Entry = { job, order: this.arrivals++, due: this.clock.now() + (job.delay ?? 0) };
    const missing = new Set((job.after ?? []).filter((id) => !this.finished.has(id)));
    if (missing.size > 0) this.blocked.set(job.id, { entry, missing });
    else this.release(entry);
  }

  /** Returns the next job that may run, or undefined. The job counts as running until `finish`. */
  next(): Job | undefined {
    if (this.running.size >= this.concurrency) return undefined;
    this.wake();
    const entry = this.ready.pop();
    if (!entry) return undefined;
    this.running.add(entry.job.id);
    return entry.job;
  }

  finish(id: string): void {
    if (!this.running.delete(id)) throw new Error(`job ${id} is not running`);
    this.finished.add(id);
    for (const [waiting, { entry, missing }] of this.blocked) {
      missing.delete(id);
      if (missing.size > 0) continue;
      this.blocked.delete(waiting);
      this.release(entry);
    }
  }

  /** Takes a job out that is not running yet, and all jobs that wait for it. Returns their ids. */
  cancel(id: string): string[] {
    const fits = ({ job }: Entry) => job.id === id;
    const isBlocked = this.blocked.delete(id);
    if (!isBlocked && !this.ready.remove(fits) && !this.delayed.remove(fits)) return [];
    this.known.delete(id);
    const dependants = [...this.blocked].filter(([, { missing }]) => missing.has(id)).map(([other]) => other);
    return [id, ...dependants.flatMap((other) => this.cancel(other))];
  }

  /** Number of jobs that are not finished. */
  get pending(): number {
    return this.ready.size + this.delayed.size + this.blocked.size + this.running.size;
  }

  /** Milliseconds until the next delayed job may run, undefined if none is delayed. */
  get wait(): number | undefined {
    const first = this.delayed.peek();
    return first && Math.max(0, first.due - this.clock.now());
  }

  private release(entry: Entry): void {
    if (entry.due > this.clock.now()) this.delayed.push(entry);
    else this.ready.push(entry);
  }

  private wake(): void {
    const now = this.clock.now();
    while (this.delayed.size > 0 && this.delayed.peek()!.due <= now) this.ready.push(this.delayed.pop()!);
  }
}

function priorityOf({ job }: Entry): number {
  return job.priority ?? 0;
}

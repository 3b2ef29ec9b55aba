export interface Clock {
  /** Milliseconds since some fixed time. */
  now(): number;
}

/** A clock that is set by hand. */
export class ManualClock implements Clock {
  private time = 0;

  now(): number {
    return this.time;
  }

  advance(ms: number): void {
    if (ms < 0) throw new RangeError("time does not run backwards");
    this.time += ms;
  }
}

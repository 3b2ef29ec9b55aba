import type { Clock } from "./clock.ts";

/** A token bucket: `capacity` calls at once, refilled with `rate` tokens a second. */
export class RateLimiter {
  private tokens: number;
  private updated: number;

  constructor(
    private readonly clock: Clock,
    private readonly capacity: number,
    private readonly rate: number,
  ) {
    if (!(capacity > 0 && rate > 0)) throw new RangeError("capacity and rate must be positive");
    this.tokens = capacity;
    this.updated = clock.now();
  }

  /** Takes tokens if there are enough. */
  tryTake(count = 1): boolean {
    this.refill();
    if (count > this.tokens) return false;
    this.tokens -= count;
    return true;
  }

  /** Milliseconds until `count` tokens are there. Infinity if the bucket is too small. */
  waitFor(count = 1): number {
    if (count > this.capacity) return Infinity;
    this.refill();
    return count <= this.tokens ? 0 : Math.ceil(((count - this.tokens) / this.rate) * 1000);
  }

  private refill(): void {
    const now = this.clock.now();
    this.tokens = Math.min(this.capacity, this.tokens + ((now - this.updated) / 1000) * this.rate);
    this.updated = now;
  }
}

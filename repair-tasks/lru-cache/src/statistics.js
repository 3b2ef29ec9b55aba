/** Counts hits and misses. */
export class Statistics {
  hits = 0;
  misses = 0;

  record(isHit) {
    if (isHit) this.hits++;
    else this.misses++;
  }

  /** Share of lookups that found a value, within [0, 1]. 0 before the first lookup. */
  get hitRate() {
    const lookups = this.hits + this.misses;
    return lookups === 0 ? 0 : this.hits / lookups;
  }

  reset() {
    this.hits = 0;
    this.misses = 0;
  }
}

/** Limits how many tasks run at a time. Waiting tasks start in their order. */
export class SlotQueue {
  private taken = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly slots: number) {}

  /**
   * Waits for a free slot and takes it.
   *
   * @returns a function that frees the slot. Later calls of it do nothing
   * @throws the signal's reason, if it aborts before a slot is free
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.taken >= this.slots) {
      await new Promise<void>((resolve, reject) => {
        const start = () => {
          signal.removeEventListener("abort", stop);
          resolve();
        };
        const stop = () => {
          this.waiting.splice(this.waiting.indexOf(start), 1);
          reject(signal.reason);
        };
        this.waiting.push(start);
        signal.addEventListener("abort", stop, { once: true });
      });
    } else this.taken++;
    let isFree = false;
    return () => {
      if (isFree) return;
      isFree = true;
      // The slot of a waiting task is passed on, so that no other task can take it in between.
      const next = this.waiting.shift();
      if (next) next();
      else this.taken--;
    };
  }
}

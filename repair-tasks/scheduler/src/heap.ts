/** A binary heap. The item that comes first by `compare` is on top. */
export class Heap<T> {
  private readonly items: T[] = [];

  constructor(
    private readonly compare: (a: T, b: T) => number,
    items: Iterable<T> = [],
  ) {
    this.items = [...items];
    for (let i = (this.items.length >> 1) - 1; i >= 0; i--) this.sink(i);
  }

  get size(): number {
    return this.items.length;
  }

  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    this.items.push(item);
    this.rise(this.items.length - 1);
  }

  pop(): T | undefined {
    const top = this.items[0];
    const last = this.items.pop();
    if (this.items.length > 0) {
      this.items[0] = last!;
      this.sink(0);
    }
    return top;
  }

  /** Removes the first item that fits. Returns it, or undefined. */
  remove(fits: (item: T) => boolean): T | undefined {
    const at = this.items.findIndex(fits);
    if (at < 0) return undefined;
    const removed = this.items[at]!;
    const last = this.items.pop()!;
    if (at < this.items.length) {
      this.items[at] = last;
      this.rise(at);
      this.sink(at);
    }
    return removed;
  }

  private rise(at: number): void {
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.compare(this.items[at]!, this.items[parent]!) >= 0) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  private sink(at: number): void {
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let first = at;
      if (left < this.items.length && this.compare(this.items[left]!, this.items[first]!) < 0) first = left;
      if (right < this.items.length && this.compare(this.items[right]!, this.items[first]!) < 0) first = right;
      if (first === at) return;
      this.swap(at, first);
      at = first;
    }
  }

  private swap(a: number, b: number): void {
    [this.items[a], this.items[b]] = [this.items[b]!, this.items[a]!];
  }
}

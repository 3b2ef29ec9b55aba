import { expiresAt, isExpired } from "./expiry.js";
import { LinkedList } from "./linked-list.js";
import { Statistics } from "./statistics.js";

/**
 * A cache with a maximum total size. The least recently used entries are evicted first.
 *
 * Options: `maxSize`, `sizeOf(value)` (1 each), `ttl` in milliseconds, `now()` and `onEvict(key, value, reason)`.
 */
export class Cache {
  #nodes = new Map();
  #order = new LinkedList();
  #size = 0;

  constructor({ maxSize, sizeOf = () => 1, ttl, now = Date.now, onEvict = () => {} }) {
    if (!(maxSize > 0)) throw new RangeError(`maxSize must be positive, got ${maxSize}`);
    this.maxSize = maxSize;
    this.sizeOf = sizeOf;
    this.ttl = ttl;
    this.now = now;
    this.onEvict = onEvict;
    this.statistics = new Statistics();
  }

  /** Total size of all entries. */
  get size() {
    return this.#size;
  }

  get count() {
    return this.#nodes.size;
  }

  /** Returns the value of a key and makes it the most recent one. */
  get(key) {
    const node = this.#live(key);
    this.statistics.record(node !== undefined);
    if (!node) return undefined;
    this.#order.moveToFront(node);
    return node.value;
  }

  /** Returns the value of a key without a change of the order or of the statistics. */
  peek(key) {
    return this.#live(key)?.value;
  }

  has(key) {
    return this.#live(key) !== undefined;
  }

  /** Stores a value. A value larger than the whole cache is not stored, and removes an earlier one. */
  set(key, value, { ttl = this.ttl } = {}) {
    const size = this.sizeOf(value);
    const existing = this.#nodes.get(key);
    if (existing) this.#drop(existing);
    if (size > this.maxSize) return false;
    const node = { key, value, size, expires: expiresAt(this.now(), ttl) };
    this.#nodes.set(key, this.#order.pushFront(node));
    this.#size += size;
    this.#shrink();
    return true;
  }

  delete(key) {
    const node = this.#nodes.get(key);
    if (!node) return false;
    this.#drop(node);
    return true;
  }

  /** Removes all entries whose time is over. Returns their number. */
  prune() {
    const now = this.now();
    const expired = [...this.#order].filter((node) => isExpired(node, now));
    for (const node of expired) this.#evict(node, "expired");
    return expired.length;
  }

  clear() {
    this.#nodes.clear();
    this.#order = new LinkedList();
    this.#size = 0;
  }

  /** Keys from the most recently to the least recently used. */
  keys() {
    const now = this.now();
    return [...this.#order].filter((node) => !isExpired(node, now)).map(({ key }) => key);
  }

  #live(key) {
    const node = this.#nodes.get(key);
    if (!node) return undefined;
    if (!isExpired(node, this.now())) return node;
    this.#evict(node, "expired");
    return undefined;
  }

  #shrink() {
    while (this.#size > this.maxSize) this.#evict(this.#order.tail, "size");
  }

  #evict(node, reason) {
    this.#drop(node);
    this.onEvict(node.key, node.value, reason);
  }

  #drop(node) {
    this.#nodes.delete(node.key);
    this.#order.remove(node);
    this.#size -= node.size;
  }
}

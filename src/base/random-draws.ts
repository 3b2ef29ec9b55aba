import type { Random } from "./random.js";

/** Draws an integer from `from` to `to`, both included. */
export function randomInteger(random: Random, from: number, to: number): number {
  return from + Math.floor(random.next() * (to - from + 1));
}

/** Draws true with the given probability. */
export function randomBoolean(random: Random, probability = 0.5): boolean {
  return random.next() < probability;
}

/** Draws one of the items, all with the same probability. */
export function randomChoice<Item>(random: Random, items: ArrayLike<Item>): Item {
  return items[randomInteger(random, 0, items.length - 1)]!;
}

/** Returns all items in random order (Fisher–Yates). */
export function shuffle<Item>(random: Random, items: Iterable<Item>): Item[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = randomInteger(random, 0, last);
    [shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!];
  }
  return shuffled;
}

/** Draws repeatedly, until an item is accepted. */
export function drawUntil<Item>(draw: () => Item, accepted: (item: Item) => boolean): Item {
  for (;;) {
    const item = draw();
    if (accepted(item)) return item;
  }
}

/**
 * Inserts items into a list.
 *
 * @param depths for each inserted item, its position from 0 (before the first item) to 1 (after the last one). Items that are inserted at
 * the same place keep their order
 */
export function insertAtDepths<Item>(items: readonly Item[], inserted: readonly Item[], depths: readonly number[]): Item[] {
  const waiting = inserted.map((item, i) => ({ item, place: Math.round(depths[i]! * items.length) })).sort((a, b) => a.place - b.place);
  const all: Item[] = [];
  let next = 0;
  for (let place = 0; place <= items.length; place++) {
    for (; waiting[next]?.place === place; next++) all.push(waiting[next]!.item);
    if (place < items.length) all.push(items[place]!);
  }
  return all;
}

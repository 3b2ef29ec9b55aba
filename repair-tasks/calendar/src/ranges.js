import { formatDay, toDay } from "./date.js";

/** Merges ranges `[from, to]` of dates, both included, that overlap or follow each other directly. */
export function mergeRanges(ranges) {
  const sorted = ranges.map(([from, to]) => checkRange(toDay(from), toDay(to))).sort((a, b) => a[0] - b[0]);
  const merged = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged.map((range) => range.map(formatDay));
}

/** The ranges within `[from, to]` that none of the busy ranges covers. */
export function freeRanges(busy, from, to) {
  const [first, last] = checkRange(toDay(from), toDay(to));
  const free = [];
  let next = first;
  for (const [start, end] of mergeRanges(busy).map((range) => range.map(toDay))) {
    if (start > last) break;
    if (start > next) free.push([next, start - 1]);
    next = Math.max(next, end + 1);
  }
  if (next <= last) free.push([next, last]);
  return free.map((range) => range.map(formatDay));
}

/** Number of days in ranges, each day counted once. */
export function countDays(ranges) {
  return mergeRanges(ranges).reduce((sum, [from, to]) => sum + toDay(to) - toDay(from) + 1, 0);
}

function checkRange(from, to) {
  if (to < from) throw new RangeError(`a range ends before it starts: ${formatDay(from)} to ${formatDay(to)}`);
  return [from, to];
}

import { addMonths, formatDay, toDay, weekday } from "./date.js";
import { parseRule } from "./rule.js";

/** A rule without end gives no more than so many dates. */
const LIMIT = 10_000;

/** The dates of a rule, in order, as an iterator. Exceptions count towards `count`. */
export function* occurrences(rule) {
  let found = 0;
  for (const day of candidates(rule)) {
    if (day > rule.until || found >= Math.min(rule.count, LIMIT)) return;
    if (day < rule.start) continue;
    found++;
    if (!rule.except.has(day)) yield day;
  }
}

function* candidates({ frequency, interval, start, weekdays }) {
  for (let step = 0; ; step++) {
    switch (frequency) {
      case "daily":
        yield start + step * interval;
        break;
      case "weekly": {
        // Weeks begin on Monday.
        const monday = start - ((weekday(start) + 6) % 7) + step * interval * 7;
        const offsets = (weekdays ?? [weekday(start)]).map((day) => (day + 6) % 7).sort((a, b) => a - b);
        for (const offset of offsets) yield monday + offset;
        break;
      }
      case "monthly":
        // Always from the start, so that the 31st comes back after a shorter month.
        yield addMonths(start, step * interval);
        break;
      default:
        yield addMonths(start, step * interval * 12);
    }
  }
}

/** The dates of a rule within a range, both ends included. */
export function between(text, from, to) {
  const [first, last] = [toDay(from), toDay(to)];
  const dates = [];
  for (const day of occurrences(parseRule(text))) {
    if (day > last) break;
    if (day >= first) dates.push(formatDay(day));
  }
  return dates;
}

/** The first date of a rule after a date, undefined if there is none. */
export function nextAfter(text, after) {
  const day = toDay(after);
  for (const candidate of occurrences(parseRule(text))) if (candidate > day) return formatDay(candidate);
  return undefined;
}

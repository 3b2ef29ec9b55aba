/** A date without time, as days since 1970-01-01. */
const DAY = 86_400_000;
export const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

export function toDay(text) {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!match) throw new RangeError(`not a date: ${text}`);
  const [year, month, day] = match.slice(1).map(Number);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) throw new RangeError(`not a date: ${text}`);
  return fromParts(year, month, day);
}

export function formatDay(day) {
  return new Date(day * DAY).toISOString().slice(0, 10);
}

export function fromParts(year, month, day) {
  return Date.UTC(year, month - 1, day) / DAY;
}

/** Year, month (from 1) and day of the month. */
export function toParts(day) {
  const date = new Date(day * DAY);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** 0 is Sunday. */
export function weekday(day) {
  return (((day + 4) % 7) + 7) % 7;
}

export function isLeapYear(year) {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

export function daysInMonth(year, month) {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Adds months. A day that the month does not have becomes its last day. */
export function addMonths(day, months) {
  const parts = toParts(day);
  const index = parts.year * 12 + parts.month - 1 + months;
  const year = Math.floor(index / 12);
  const month = index - year * 12 + 1;
  return fromParts(year, month, Math.min(parts.day, daysInMonth(year, month)));
}

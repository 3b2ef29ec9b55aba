// Computes free times of a week under the published rules. Times are slots of five minutes, counted from 9:00. A day has 96 slots.

export const SLOTS = 96;
const HOUR = 12;
/** Number of slots between two possible starts. Meetings start on the hour or half-hour. */
const START_STEP = 6;

/** An interval of slots: its first slot, and the slot after its last one. */
export type Interval = readonly [from: number, to: number];

/**
 * One day of a person. Either the booked times are listed and all other times are free, or the free times are listed and all other times
 * are booked.
 */
export interface Day {
  readonly lists: "booked" | "free";
  readonly intervals: readonly Interval[];
}

export type RuleKind = (typeof RULE_KINDS)[number];
/** The rules of people, as published. `none` is for people without a rule. */
export const RULE_KINDS = [
  "none",
  "free_before",
  "free_after",
  "end_by_four",
  "wednesday_lunch",
  "skip_early",
  "one_hour_ahead",
  "tuesday_thursday",
  "skip_short",
  "miss_ten",
  "tuesday_friday",
] as const;

export interface Person {
  /** The days from Monday on, at most five. */
  readonly days: readonly Day[];
  readonly rule: RuleKind;
}

/** One possible meaning of the published sentences, which leave some points open. */
export interface Reading {
  /** Bookings that touch each other count as one booking. */
  readonly touchingAreOne: boolean;
  /** Closed times between listed free times count as bookings. */
  readonly gapsAreBookings: boolean;
  /** A person who may miss ten minutes skips whole bookings of at most ten minutes. */
  readonly missSkipsBookings: boolean;
  /** If all people are one hour ahead of the others, they count as being in the same time zone. */
  readonly allAheadIsNone: boolean;
}

/** The literal reading. The questions of this generator spell it out. */
export const LITERAL: Reading = { touchingAreOne: false, gapsAreBookings: false, missSkipsBookings: false, allAheadIsNone: false };

const BOTH = [false, true] as const;
export const READINGS: readonly Reading[] = BOTH.flatMap((allAheadIsNone) =>
  BOTH.flatMap((missSkipsBookings) =>
    BOTH.flatMap((gapsAreBookings) =>
      BOTH.map((touchingAreOne) => ({ touchingAreOne, gapsAreBookings, missSkipsBookings, allAheadIsNone })),
    ),
  ),
);

const isIn = (slot: number, intervals: readonly Interval[]) => intervals.some(([from, to]) => from <= slot && slot < to);

/** Returns the maximal intervals of slots for which a condition holds. */
export function intervalsWhere(holds: (slot: number) => boolean): Interval[] {
  const intervals: [number, number][] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    if (!holds(slot)) continue;
    const last = intervals.at(-1);
    if (last?.[1] === slot) last[1]++;
    else intervals.push([slot, slot + 1]);
  }
  return intervals;
}

/** Returns for each slot of a day whether the person cannot meet, in the time zone of the others. */
export function closedSlots({ days, rule }: Person, dayIndex: number, reading: Reading): boolean[] {
  const { lists, intervals } = days[dayIndex]!;
  const isClosed = (slot: number) => isIn(slot, intervals) === (lists === "booked");
  // The bookings that the person's rule may allow to skip.
  const gaps = reading.gapsAreBookings ? intervalsWhere(isClosed) : [];
  const listed = lists === "free" ? gaps : reading.touchingAreOne ? intervalsWhere(isClosed) : intervals;
  const skips = ([from, to]: Interval) => {
    if (rule === "skip_early") return to <= 9;
    if (rule === "skip_short") return to - from <= 6;
    return rule === "miss_ten" && reading.missSkipsBookings && to - from <= 2;
  };
  const skipped = listed.filter(skips);
  const kept = listed.filter((interval) => !skips(interval));
  const closed = Array.from({ length: SLOTS }, (_, slot) => isClosed(slot) && (!isIn(slot, skipped) || isIn(slot, kept)));
  return withRule(closed, rule, dayIndex);
}

function withRule(closed: readonly boolean[], rule: RuleKind, dayIndex: number): boolean[] {
  // Nobody is free outside of the working hours.
  const at = (slot: number) => closed[slot] ?? true;
  const only = (...days: number[]) => closed.map((one) => one || !days.includes(dayIndex));
  switch (rule) {
    case "free_before":
      return closed.map((one, slot) => one || at(slot - 1) || at(slot - 2));
    case "free_after":
      return closed.map((one, slot) => one || at(slot + 1) || at(slot + 2));
    case "end_by_four":
      return closed.map((one, slot) => one || slot >= 7 * HOUR);
    case "wednesday_lunch":
      return closed.map((one, slot) => one || (dayIndex === 2 && slot >= 42 && slot < 48));
    case "one_hour_ahead":
      return closed.map((_, slot) => at(slot + HOUR));
    case "tuesday_thursday":
      return only(1, 3);
    case "tuesday_friday":
      return only(1, 4);
    default:
      return [...closed];
  }
}

/** Returns the maximum number of slots of a meeting under a rule. */
const longestFor = (rule: RuleKind) => (rule === "tuesday_thursday" ? 12 : rule === "tuesday_friday" ? 6 : SLOTS);

/** A possible start, and the length of the longest meeting that can start there. */
export interface Option {
  readonly day: number;
  readonly start: number;
  readonly slots: number;
}

/** Finds the longest meeting for each possible start. */
export function optionsOf(people: readonly Person[], reading: Reading): Option[] {
  const nobodyAhead = reading.allAheadIsNone && people.every(({ rule }) => rule === "one_hour_ahead");
  const party = nobodyAhead ? people.map(({ days }): Person => ({ days, rule: "none" })) : people;
  const longest = Math.min(...party.map(({ rule }) => longestFor(rule)));
  const options: Option[] = [];
  for (let day = 0; day < party[0]!.days.length; day++) {
    const closed = party.map((person) => closedSlots(person, day, reading));
    for (let start = 0; start < SLOTS; start += START_STEP) {
      const missed = party.map(() => 0);
      const fits = (slot: number) =>
        party.every(({ rule }, i) => {
          if (closed[i]![slot]) missed[i]!++;
          return missed[i]! <= (rule === "miss_ten" && !reading.missSkipsBookings ? 2 : 0);
        });
      let slots = 0;
      while (slots < longest && start + slots < SLOTS && fits(start + slots)) slots++;
      if (slots > 0) options.push({ day, start, slots });
    }
  }
  return options;
}

/** Returns the length of the longest meeting, and the number of starts at which it is possible. */
export function bestOf(options: readonly Option[]): readonly [minutes: number, starts: number] {
  const longest = Math.max(0, ...options.map(({ slots }) => slots));
  return [5 * longest, options.filter(({ slots }) => slots === longest).length];
}

// Free times of a week under the published rules. Times are slots of five minutes, counted from 9:00; a day has 96 of them.

export const SLOTS = 96;
const HOUR = 12;
/** Meetings start on the hour or half-hour. */
const START_STEP = 6;

/** From its first slot to the one behind its last. */
export type Interval = readonly [from: number, to: number];

/** A day of a person: either the booked times are listed, and all others are free, or the other way round. */
export interface Day {
  readonly lists: "booked" | "free";
  readonly intervals: readonly Interval[];
}

export type RuleKind = (typeof RULE_KINDS)[number];
/** The published rules. `none` is for people without a rule. */
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
  /** Monday to Friday, or fewer days. */
  readonly days: readonly Day[];
  readonly rule: RuleKind;
}

/** How to take what the published sentences leave open. */
export interface Reading {
  /** Bookings that touch each other count as one. */
  readonly touchingAreOne: boolean;
  /** Closed times between listed free times count as bookings. */
  readonly gapsAreBookings: boolean;
  /** A person who may miss ten minutes skips whole bookings of up to ten minutes. */
  readonly missSkipsBookings: boolean;
  /** Nobody is ahead of the others if everybody is. */
  readonly allAheadIsNone: boolean;
}

/** The literal reading, which the questions of our own generator spell out. */
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

/** The intervals that slots form for which a condition holds. */
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

/** Says for each slot of a day whether a person cannot meet then, by the clock of the others. */
export function closedSlots({ days, rule }: Person, dayIndex: number, reading: Reading): boolean[] {
  const { lists, intervals } = days[dayIndex]!;
  const isClosed = (slot: number) => isIn(slot, intervals) === (lists === "booked");
  // The bookings that a rule may allow to skip.
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
  // Outside of the working hours nobody is free.
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

/** Slots that a meeting may have at most. */
const longestFor = (rule: RuleKind) => (rule === "tuesday_thursday" ? 12 : rule === "tuesday_friday" ? 6 : SLOTS);

/** A start with the longest meeting that is possible there. */
export interface Option {
  readonly day: number;
  readonly start: number;
  readonly slots: number;
}

/** Finds the longest meeting of each start. */
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

/** The longest length in minutes, and the number of starts that allow it. */
export function bestOf(options: readonly Option[]): readonly [minutes: number, starts: number] {
  const longest = Math.max(0, ...options.map(({ slots }) => slots));
  return [5 * longest, options.filter(({ slots }) => slots === longest).length];
}

import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataObject } from "../metadata.js";
import { accept, type Json, type Row, reject, undecided } from "../row.js";
import { PEOPLE } from "../vocabulary.js";
import {
  bestOf,
  closedSlots,
  type Day,
  type Interval,
  intervalsWhere,
  LITERAL,
  optionsOf,
  type Person,
  READINGS,
  RULE_KINDS,
  type RuleKind,
  SLOTS,
} from "./time-sequence-calendar.js";
import { question, RULES, type Schedule } from "./time-sequence-text.js";

type TimeSequence = {
  /** Number of people. */
  readonly n: number;
  /** Percentage of people with a rule. */
  readonly rule_prob: number;
  readonly days: number;
  /** All times are multiples of this number of minutes. */
  readonly grid: number;
};

/** The keys of the days in the metadata. */
const DAY_KEYS = ["一", "二", "三", "四", "五"] as const;
/** The names of booked and free times in the metadata. */
const LISTED = { booked: "占用", free: "空闲" } as const;
/** Share of the puzzles in which it is allowed that no meeting is possible. */
const NONE_SHARE = 0.05;

/** Patterns that recognize a rule by its published name or sentence. */
const RULE_WORDS: readonly (readonly [RegExp, RuleKind])[] = [
  [/会议前|before a meeting/, "free_before"],
  [/会议后|after a meeting/, "free_after"],
  [/时区|time zone/, "one_hour_ahead"],
  [/二四|周二和周四|Tuesdays? and Thursdays?/, "tuesday_thursday"],
  [/二五|周二和周五|Tuesdays? and Fridays?/, "tuesday_friday"],
  [/午饭|午餐|lunch/, "wednesday_lunch"],
  [/9[:：点]45|9:45/, "skip_early"],
  [/结束时间|(?:before|by) (?:4|16):00/, "end_by_four"],
  [/缺席|错过|迟到|10 ?(?:分钟|minutes)|miss/, "miss_ten"],
  [/30 ?(?:分钟|minutes)|半小时|短会/, "skip_short"],
];

/** Rules whose published sentences can be read in several ways. */
const OPEN_RULES: readonly RuleKind[] = ["skip_early", "skip_short", "miss_ten"];

/** Draws a day. Short gaps and short bookings are more frequent, and no two bookings touch. */
function drawDay(random: Random, grid: number): Day {
  const unit = grid / 5;
  const draw = (least: number, most: number, bias: number) =>
    unit * (least + Math.floor(((most - least) / unit + 1) * random.next() ** bias));
  const intervals: Interval[] = [];
  for (let at = randomBoolean(random, 0.15) ? 0 : draw(1, 35, 2); at < SLOTS; ) {
    const to = at + draw(1, 24, 1.5);
    if (to > SLOTS) break;
    intervals.push([at, to]);
    at = to + draw(1, 35, 2);
  }
  return { lists: intervals.length > 0 && randomBoolean(random) ? "free" : "booked", intervals };
}

function recordsOf(people: readonly Schedule[]) {
  const each = <Value>(value: (person: Schedule) => Value) => Object.fromEntries(people.map((person) => [person.name, value(person)]));
  const week = (person: Schedule, write: (day: Day, i: number) => readonly [string, readonly Interval[]]) =>
    Object.fromEntries(person.days.map((day, i) => [DAY_KEYS[i]!, write(day, i)]));
  const booked = (person: Person, i: number) => {
    const closed = closedSlots(person, i, LITERAL);
    return [LISTED.booked, intervalsWhere((slot) => closed[slot]!)] as const;
  };
  const options = optionsOf(people, LITERAL);
  const [answer_maxLen, answer_nums] = bestOf(options);
  return {
    raw_schedule: each((person) => week(person, ({ lists, intervals }) => [LISTED[lists], intervals])),
    trans_schedule: each((person) => week(person, (_, i) => booked({ ...person, rule: "none" }, i))),
    rules: each(({ rule }) => (rule === "none" ? "" : rule)),
    schedule_withRule: each((person) => week(person, (_, i) => booked(person, i))),
    answers: { answer_record: options.map(({ start, slots }) => [start, start + slots]), answer_nums, answer_maxLen },
  };
}

const isInterval = (x: Json): x is Json & Interval =>
  Array.isArray(x) && x.length === 2 && x.every((slot) => Number.isSafeInteger(slot) && slot >= 0 && slot <= SLOTS);

function dayOf(value: Json | undefined): Day | undefined {
  if (!Array.isArray(value)) return undefined;
  const [listed, intervals] = value as readonly Json[];
  const lists = listed === LISTED.free ? "free" : listed === LISTED.booked ? "booked" : undefined;
  return lists && Array.isArray(intervals) && intervals.every(isInterval) ? { lists, intervals } : undefined;
}

/** Returns the kind of a rule. Returns undefined if the rule is unknown. */
function ruleOf(name: string, sentence: string): RuleKind | undefined {
  if (name === "" && sentence === "") return "none";
  const own = RULE_KINDS.find((kind) => kind === name);
  if (own) return own;
  const found = (text: string) => RULE_WORDS.find(([words]) => words.test(text))?.[1];
  return found(name) ?? found(sentence);
}

/** Reads the people of a row. Returns undefined if one of their rules is unknown. */
function peopleOf(row: Row): readonly Person[] | undefined {
  const { raw_schedule, rules, rules_desc } = metadataObject(row, "records");
  if (!isObject(raw_schedule)) throw metadataError(row, "records", "records with raw_schedule");
  const textOf = (texts: Json | undefined, name: string) =>
    isObject(texts) && typeof texts[name] === "string" ? (texts[name] as string) : "";
  const people = Object.entries(raw_schedule).map(([name, week]) => {
    const days = DAY_KEYS.filter((key) => isObject(week) && key in week).map((key) => dayOf((week as Record<string, Json>)[key]));
    if (days.length === 0 || !days.every((day) => day !== undefined))
      throw metadataError(row, "records", `a schedule for each day of ${name}`);
    const rule = ruleOf(textOf(rules, name), textOf(rules_desc, name).trim());
    return rule && { days, rule };
  });
  return people.length > 0 && people.every((person) => person !== undefined) ? people : undefined;
}

/** Returns all answers that the sentences allow, with the one of the literal reading first. */
function possibleAnswers(row: Row): readonly string[] {
  const people = peopleOf(row);
  if (!people) return [String(row.answer)];
  const isOpen = ({ rule }: Person) => OPEN_RULES.includes(rule);
  const open = people.some(isOpen) || people.every(({ rule }) => rule === "one_hour_ahead");
  // The questions of this generator leave nothing open.
  const own = Object.values(metadataObject(row, "records").rules ?? {}).some(
    (rule) => rule !== "" && RULE_KINDS.includes(rule as RuleKind),
  );
  return [...new Set((own || !open ? [LITERAL] : READINGS).map((reading) => String(bestOf(optionsOf(people, reading)))))];
}

/** Says which of the two numbers is wrong. */
function wrongPart(given: string, answers: readonly string[]): string {
  const [minutes, starts] = given.split(",");
  if (answers.some((answer) => answer.split(",")[0] === minutes)) return `${starts} is not the number of starts`;
  if (answers.some((answer) => answer.split(",")[1] === starts)) return `the longest meeting does not last ${minutes} minutes`;
  return "both the length and the number of starts are wrong";
}

/** Returns the content of the last square brackets. Returns undefined if there are none. */
function lastBrackets(text: string): string | undefined {
  const end = text.lastIndexOf("]");
  const begin = text.lastIndexOf("[", end);
  return begin < 0 || end < 0 ? undefined : text.slice(begin + 1, end);
}

const isWhole = (part: string) => /^(?:0|[1-9][0-9]{0,8})$/.test(part);
const isRounded = (part: string) => /^(?:0|[1-9][0-9]{0,8})\.0+$/.test(part);

/** Find the longest meeting that fits into the weeks of several people. */
export const timeSequence: SynlogicTask<TimeSequence> = {
  name: "time_sequence",
  summary: "Find the longest common meeting time of several people, and the number of its starts.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 2, most: 8, meaning: "people" },
    rule_prob: { kind: "integer", least: 0, most: 100, meaning: "percentage of people with a rule" },
    days: { kind: "integer", least: 1, most: 5, meaning: "days" },
    grid: { kind: "integer", least: 5, most: 30, meaning: "all times are multiples of so many minutes, a multiple of 5" },
  },
  levels: {
    tiny: { n: 2, rule_prob: 0, days: 1, grid: 30 },
    easy: { n: 2, rule_prob: 0, days: 5, grid: 5 },
    medium: { n: 3, rule_prob: 60, days: 5, grid: 5 },
    hard: { n: 5, rule_prob: 100, days: 5, grid: 5 },
  },
  attributes: ["n", "rule_prob", "days", "grid"],
  generate(random, { n, rule_prob, days, grid }, language) {
    const step = 5 * Math.max(1, Math.floor(grid / 5));
    const drawPerson = (name: string): Schedule => ({
      name,
      days: Array.from({ length: days }, () => drawDay(random, step)),
      rule: randomBoolean(random, rule_prob / 100) ? randomChoice(random, RULE_KINDS.slice(1)) : "none",
    });
    const draw = () => shuffle(random, PEOPLE[language]).slice(0, n).map(drawPerson);
    const none = randomBoolean(random, NONE_SHARE);
    // It makes no sense if everybody is one hour ahead of the others.
    const fits = (people: readonly Schedule[]) =>
      people.some(({ rule }) => rule !== "one_hour_ahead") && (none || optionsOf(people, LITERAL).length > 0);
    const people = drawUntil(draw, fits);
    const records = recordsOf(people);
    const rules_desc = Object.fromEntries(people.map(({ name, rule }) => [name, RULES[language][rule]]));
    return {
      question: question(people, language),
      answer: [records.answers.answer_maxLen, records.answers.answer_nums],
      metadata: { n, rule_prob: rule_prob / 100, records: { ...records, rules_desc } },
    };
  },
  solve(row) {
    return `[${possibleAnswers(row)[0]!.split(",").join(", ")}]`;
  },
  verify(row, text) {
    const brackets = lastBrackets(text);
    if (brackets === undefined) return reject("there are no square brackets after the reasoning");
    const found = `[${brackets.slice(0, 100)}]`;
    // A trailing comma is ignored.
    const parts = brackets
      .replace(/[,，]\s*$/, "")
      .split(/[,，]/)
      .map((part) => part.trim());
    if (parts.length !== 2 || !parts.every((part) => isWhole(part) || isRounded(part)))
      return reject("the last brackets do not hold two whole numbers", found);
    const given = parts.map(Number).join();
    const answers = possibleAnswers(row);
    if (!answers.includes(given)) return reject(wrongPart(given, answers), found);
    if (answers.length > 1) return undecided("the rules can be read in several ways, and this answer is right in only some of them", found);
    return parts.every(isWhole) ? accept(found, "length and number are right") : undecided("the numbers are written as decimals", found);
  },
  guess(_, random) {
    return `[${5 * randomInteger(random, 6, 30)}, 1]`;
  },
  published(row, response) {
    const content = lastBrackets(response)?.replaceAll("，", ",");
    try {
      const [minutes, starts] = JSON.parse(`[${content}]`) as unknown[];
      return `${Number(minutes)},${Number(starts)}` === String(row.answer);
    } catch {
      return false;
    }
  },
};

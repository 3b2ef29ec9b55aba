import { toDay, WEEKDAYS } from "./date.js";

const UNITS = ["daily", "weekly", "monthly", "yearly"];

/**
 * Parses a rule such as "every 2 weeks on Mon, Fri from 2024-01-01 until 2024-03-01" or "monthly from 2024-01-31 5 times except 2024-03-31".
 */
export function parseRule(text) {
  const rest = text.trim();
  const match =
    /^(?:every (\d+) (day|week|month|year)s?|(daily|weekly|monthly|yearly))(?: on ([A-Za-z, ]+?))? from (\S+)(?: until (\S+))?(?: (\d+) times)?(?: except (.+))?$/.exec(
      rest,
    );
  if (!match) throw new SyntaxError(`not a rule: ${text}`);
  const [, interval, unit, adverb, weekdays, start, until, count, except] = match;
  const frequency = adverb ?? { day: "daily", week: "weekly", month: "monthly", year: "yearly" }[unit];
  return checkRule({
    frequency,
    interval: Number(interval ?? 1),
    weekdays: weekdays?.split(/\s*,\s*/).map((name) => parseWeekday(name, text)),
    start: toDay(start),
    until: until === undefined ? Infinity : toDay(until),
    count: count === undefined ? Infinity : Number(count),
    except: new Set(except?.split(/\s*,\s*/).map(toDay)),
  });
}

function parseWeekday(name, text) {
  const index = WEEKDAYS.findIndex((weekday) => weekday.toLowerCase() === name.trim().slice(0, 3).toLowerCase());
  if (index < 0) throw new SyntaxError(`not a day of the week: ${name} in ${text}`);
  return index;
}

function checkRule(rule) {
  if (!UNITS.includes(rule.frequency)) throw new SyntaxError(`unknown frequency ${rule.frequency}`);
  if (rule.interval < 1) throw new RangeError("the interval must be at least 1");
  if (rule.weekdays && rule.frequency !== "weekly") throw new RangeError("days of the week need a weekly rule");
  if (rule.until < rule.start) throw new RangeError("the rule ends before it starts");
  return rule;
}

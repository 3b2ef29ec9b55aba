import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

/** Whether a person can attend from minute `start` to minute `end` of a day, both since midnight by the clock of the others. */
type Attends = (day: number, start: number, end: number) => boolean;

const DAYS = /^(Monday|Tuesday|Wednesday|Thursday|Friday|星期[一二三四五])/;

/** Reads a person's lines. @param rule the sentence about the person, or "" */
function attendance(lines: readonly string[], rule: string): Attends {
  const days = lines.map((line) => ({
    bookings: /booked|已有预定/.test(line),
    times: [...line.matchAll(/([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})/g)].map(
      ([, a, b, c, d]) => [60 * +a! + +b!, 60 * +c! + +d!] as const,
    ),
  }));
  const ahead = /one hour ahead|快一个小时/.test(rule) ? 60 : 0;
  const busyAt = (day: number, minute: number) => {
    if (minute < 540 || minute >= 1020) return true;
    const { bookings, times } = days[day]!;
    const inside = times.filter(([from, to]) => from <= minute && minute < to);
    if (!bookings) return inside.length === 0;
    return inside.some(
      ([from, to]) => !(/09:45/.test(rule) && to <= 585) && !(/30 minutes or less|不超过30分钟/.test(rule) && to - from <= 30),
    );
  };
  // By the clock of the others, from 8:00 to 18:00 in steps of five minutes.
  const busy = days.map((_, day) => Array.from({ length: 120 }, (_, i) => busyAt(day, 480 + 5 * i + ahead)));
  const lunch = /lunch|午饭/.test(rule);
  const latest = /16:00/.test(rule) ? 960 : 1020;
  const limited = [
    [/Tuesdays and Thursdays|星期二和星期四/, [1, 3], 60],
    [/Tuesdays and Fridays|星期二和星期五/, [1, 4], 30],
  ] as const;
  const limit = limited.find(([words]) => words.test(rule));
  const before = /right before|开始之前/.test(rule) ? 10 : 0;
  const after = /right after|结束之后/.test(rule) ? 10 : 0;
  const mayMiss = /absent|缺席/.test(rule) ? 10 : 0;
  return (day, start, end) => {
    if (end > latest || (lunch && day === 2 && start < 780 && end > 750)) return false;
    if (limit && (!(limit[1] as readonly number[]).includes(day) || end - start > limit[2])) return false;
    let missed = 0;
    for (let minute = start - before; minute < end + after; minute += 5) if (busy[day]![(minute - 480) / 5]) missed += 5;
    return missed <= mayMiss;
  };
}

function answer(question: string): readonly [number, number] {
  const lines = question.split("\n");
  const people: { name: string; lines: string[] }[] = [];
  for (const line of lines) {
    const name = /^([^-\s,，：:]+)[:：]$/.exec(line)?.[1];
    if (name && !["Moreover", "此外"].includes(name)) people.push({ name, lines: [] });
    else if (DAYS.test(line)) people.at(-1)!.lines.push(line);
  }
  const all = people.map(({ name, lines: days }) => attendance(days, lines.find((line) => line.startsWith(`- ${name}`)) ?? ""));
  let best = 0;
  let count = 0;
  for (let day = 0; day < people[0]!.lines.length; day++) {
    for (let start = 540; start < 1020; start += 30) {
      let length = 0;
      for (let end = start + 5; end <= 1020; end += 5) if (all.every((attends) => attends(day, start, end))) length = end - start;
      if (length > best) [best, count] = [length, 0];
      if (length === best && best > 0) count++;
    }
  }
  return [best, count];
}

export const oracle: Oracle = {
  unique: true,
  candidate({ question }, random: Random) {
    const [length, count] = answer(question);
    const near = () => (random.next() < 0.7 ? 0 : 1 - 2 * Math.floor(2 * random.next()));
    const given = [Math.max(0, length + 5 * near()), Math.max(0, count + near())] as const;
    return { text: `[${given.join(", ")}]`, right: given[0] === length && given[1] === count };
  },
};

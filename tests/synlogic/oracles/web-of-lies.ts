import type { Oracle } from "../oracle.js";

type Test = (honest: ReadonlySet<string>) => boolean;

/** Reads a sentence of our own wording. Undefined for an idle remark. @param who returns the name of a person mentioned by name or place */
function readSentence(text: string, who: (mention: string) => string): Test | undefined {
  const patterns: readonly [RegExp, (...people: string[]) => Test][] = [
    [/^(.+) says that at least one of (.+) and (.+) tells the truth\.$/, (a, b, c) => (h) => h.has(a!) === (h.has(b!) || h.has(c!))],
    [/^(.+) says that (.+) and (.+) both lie\.$/, (a, b, c) => (h) => h.has(a!) === !(h.has(b!) || h.has(c!))],
    [/^(.+) claims to be of the same kind as (.+)\.$/, (a, b) => (h) => h.has(a!) === (h.has(a!) === h.has(b!))],
    [/^(.+) claims to be of another kind than (.+)\.$/, (a, b) => (h) => h.has(a!) === (h.has(a!) !== h.has(b!))],
    [/^(.+) says that (.+) tells the truth\.$/, (a, b) => (h) => h.has(a!) === h.has(b!)],
    [/^(.+) says that (.+) lies\.$/, (a, b) => (h) => h.has(a!) === !h.has(b!)],
    [/^It is certain that (.+) tells the truth\.$|^(.+) always tells the truth\.$|^(.+) never lies\.$/, (a) => (h) => h.has(a!)],
    [/^It is certain that (.+) lies\.$|^(.+) always lies\.$|^(.+) never tells the truth\.$/, (a) => (h) => !h.has(a!)],
    [/^(.+)说(.+)和(.+)中至少有一个说真话。$/, (a, b, c) => (h) => h.has(a!) === (h.has(b!) || h.has(c!))],
    [/^(.+)说(.+)和(.+)都说谎。$/, (a, b, c) => (h) => h.has(a!) === !(h.has(b!) || h.has(c!))],
    [/^(.+)声称自己和(.+)不是同一类人。$/, (a, b) => (h) => h.has(a!) === (h.has(a!) !== h.has(b!))],
    [/^(.+)声称自己和(.+)是同一类人。$/, (a, b) => (h) => h.has(a!) === (h.has(a!) === h.has(b!))],
    [/^可以确定，(.+)说真话。$|^(.+)总是说真话。$|^(.+)从不说谎。$/, (a) => (h) => h.has(a!)],
    [/^可以确定，(.+)说谎。$|^(.+)总是说谎。$|^(.+)从不说真话。$/, (a) => (h) => !h.has(a!)],
    [/^(.+?)说(.+)说真话。$/, (a, b) => (h) => h.has(a!) === h.has(b!)],
    [/^(.+?)说(.+)说谎。$/, (a, b) => (h) => h.has(a!) === !h.has(b!)],
  ];
  for (const [pattern, make] of patterns) {
    const match = pattern.exec(text);
    if (match) return make(...match.slice(1).filter(Boolean).map(who));
  }
  return undefined;
}

/** The answers that fit, by trying all combinations of liars. */
function answers(text: string): string[] {
  const lines = text.split("\n");
  const placeOf = new Map<string, string>();
  for (const line of lines) {
    const match = /^(\w+) is at the (\w+)\.$/.exec(line) ?? /^([^在]+)在(.+)。$/.exec(line);
    if (match && !/[说读]/.test(line)) placeOf.set(match[2]!, match[1]!);
  }
  const names = [...placeOf.values()];
  const who = (mention: string) => {
    const place = /^the person at the (\w+)$/i.exec(mention)?.[1] ?? /^在(.+)的人$/.exec(mention)?.[1];
    const name = place ? placeOf.get(place) : mention;
    if (!name || !names.includes(name)) throw new Error(`who is ${mention}?`);
    return name;
  };
  const tests = lines.map((line) => readSentence(line, who)).filter((one) => one !== undefined);
  const asked = lines.flatMap((line) => {
    const match = /^\d+\. Does (.+) tell the truth\?$/.exec(line) ?? /^\d+\. (.+)说真话吗？$/.exec(line);
    return match ? [who(match[1]!)] : [];
  });
  const found = new Set<string>();
  for (let bits = 0; bits < 1 << names.length; bits++) {
    const honest = new Set(names.filter((_, i) => (bits >> i) & 1));
    if (tests.every((holds) => holds(honest))) found.add(asked.map((name) => (honest.has(name) ? "y" : "n")).join(""));
  }
  return [...found];
}

const known = new Map<string, string[]>();
const answersOf = (text: string) => {
  const found = known.get(text) ?? answers(text);
  known.set(text, found);
  return found;
};

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const [right] = answersOf(row.question);
    const given = [...right!];
    const change = random.next();
    if (change < 0.4) {
      const at = Math.floor(random.next() * given.length);
      given[at] = given[at] === "y" ? "n" : "y";
    } else if (change < 0.6) given.reverse();
    else if (change < 0.7) given.pop();
    const chinese = row.question.includes("答案是");
    const words = given.map((letter) => (chinese ? (letter === "y" ? "是" : "否") : letter === "y" ? "yes" : "no")).join(", ");
    return { text: chinese ? `答案是 **${words}**。` : `The answer is **${words}**.`, right: given.join("") === right };
  },
  solutions: (row) => answersOf(row.question).length,
};

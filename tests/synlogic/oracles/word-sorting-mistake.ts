import type { Oracle } from "../oracle.js";

/**
 * Checks a trace of our own wording by rewriting it: after each letter, the words are sorted by their first letters up to that position, and
 * those that begin alike form a bucket.
 */
function firstMistake(words: readonly string[], trace: string): string {
  const lines = trace.split("\n").filter((line) => /^(Thought|思考) /.test(line));
  const depth = new Map(words.map((word) => [word, 0]));
  const key = (word: string) => word.padEnd(50, " ").slice(0, depth.get(word));
  const current = () => {
    const groups: string[][] = [];
    for (const word of [...words].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a < b ? -1 : 1))) {
      const last = groups.at(-1);
      if (last && key(last[0]!) === key(word) && depth.get(last[0]!) === depth.get(word)) last.push(word);
      else groups.push([word]);
    }
    return groups;
  };
  const describe = (groups: readonly (readonly string[])[]) => groups.map((group) => [...group].sort().join("?")).join("<");
  for (let i = 0; i < lines.length; i += 2) {
    const open = current().filter((group) => group.length > 1);
    const position = Math.min(...open.map((group) => depth.get(group[0]!)!));
    const bucket = open.find((group) => depth.get(group[0]!) === position)!;
    const expected = bucket.map((word) => {
      const letter = word[position];
      return letter ? `"${word}": "${letter}" (${" abcdefghijklmnopqrstuvwxyz".indexOf(letter)})` : `"${word}": none (0)`;
    });
    const given = lines[i]!.match(/"\w+": (?:"\w"|none) \(\d+\)/g) ?? [];
    if (given.sort().join() !== expected.sort().join()) return String(i + 1);
    for (const word of bucket) depth.set(word, position + 1);
    const state = lines[i + 1]!.slice(lines[i + 1]!.search(/["[]/)).replace(/[.。]$/, "");
    const groups = state.split(" < ").map((group) => group.match(/\w+/g)!);
    if (describe(groups) !== describe(current())) return String(i + 2);
  }
  return "No";
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const { words, thoughts } = row.metadata as { words: string[]; thoughts: string };
    const right = firstMistake(words, thoughts);
    const count = thoughts.split("\n").length - 1;
    const kind = random.next();
    let text = right;
    if (kind < 0.4) text = String(1 + Math.floor(random.next() * count));
    else if (kind < 0.5) text = "No";
    return { text: `\\boxed{${text}}`, right: text === right };
  },
};

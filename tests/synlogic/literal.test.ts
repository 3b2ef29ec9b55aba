// The parser of literals, against a definition of what it finds and on deeply nested text.

import { expect, test } from "vitest";
import { Random } from "../../src/base/random.js";
import { randomChoice, randomInteger } from "../../src/base/random-draws.js";
import { findLiterals, parseLiteral } from "../../src/synlogic/reading/literal.js";

const PIECES = [
  "[",
  "[",
  "]",
  "]",
  "(",
  ")",
  "{",
  "}",
  ",",
  ",",
  "1",
  "'a'",
  "'",
  '"',
  "\n",
  "#",
  "# x\n",
  ":",
  " ",
  "x",
  "[1]",
  "(2,)",
  "{'a':1}",
];

/** From left to right, at each bracket: the shortest text that is a literal. */
function findOneByOne(text: string, opening: string) {
  const found: string[] = [];
  for (let begin = 0; begin < text.length; begin++) {
    if (!opening.includes(text[begin]!)) continue;
    const ends = Array.from({ length: text.length - begin }, (_, i) => begin + i + 1);
    const end = ends.find((one) => "])}".includes(text[one - 1]!) && parseLiteral(text.slice(begin, one)) !== undefined);
    if (end === undefined) continue;
    found.push(text.slice(begin, end));
    begin = end - 1;
  }
  return found;
}

test("the literals in random text", () => {
  const random = Random.seeded(5);
  let inside = 0;
  for (let i = 0; i < 4000; i++) {
    const text = Array.from({ length: randomInteger(random, 1, 16) }, () => randomChoice(random, PIECES)).join("");
    for (const opening of ["[", "(", "{"]) {
      const found = findLiterals(text, opening);
      expect(
        found.map(({ begin, end }) => text.slice(begin, end)),
        text,
      ).toEqual(findOneByOne(text, opening));
      for (const { literal, begin, end } of found) expect(literal).toEqual(parseLiteral(text.slice(begin, end)));
      if (found[0] && found[0].begin > 0) inside++;
    }
  }
  expect(inside).toBeGreaterThan(1000);
});

test("brackets that are nested too deeply are skipped with what they hold", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  expect(findLiterals(`${nested(13)} [1]`, "[")).toHaveLength(2);
  for (const depth of [14, 15, 100, 20_000])
    expect(findLiterals(`${nested(depth)} [1]`, "[").map(({ end }) => end)).toEqual([2 * depth + 4]);
  expect(findLiterals(`${"[".repeat(20_000)}1]`, "[")).toEqual([]);
});

test("text that is read twice at most a few times", () => {
  // Each bracket is followed by a comment, and is a literal only if what is behind the comment is read.
  for (const text of [`${"[#".repeat(20_000)}\n${"1,".repeat(20_000)}`, "[#\n".repeat(20_000), `['[`.repeat(20_000)]) {
    const begin = performance.now();
    findLiterals(text, "[");
    expect(performance.now() - begin).toBeLessThan(1000);
  }
});

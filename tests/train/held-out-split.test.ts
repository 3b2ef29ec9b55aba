import { expect, test } from "vitest";
import { splitRows, splitText } from "../../src/train/held-out-split.js";
import type { Row } from "../../src/train/jsonl-rows.js";
import { facts } from "../support/facts.js";

test("blocks are spread over the whole text, end with lines, and do not overlap", () => {
  const lines = Array.from({ length: 5000 }, (_, i) => `line ${i} 👍\n`);
  const text = lines.join("");
  const { training, heldOut } = splitText(text, 0.05, 100);
  const [own, tested] = [training, heldOut].map((pieces) => pieces.join("").match(/[^\n]+\n/g)!);
  expect([...own!, ...tested!].map((line) => line).sort()).toEqual(lines.map((line) => line).sort());
  expect(Math.abs(tested!.length / lines.length - 0.05)).toBeLessThan(0.005);
  const numbers = tested!.map((line) => Number(line.split(" ")[1]));
  for (let tenth = 0; tenth < 10; tenth++)
    expect(numbers.filter((n) => Math.floor(n / 500) === tenth).length, `tenth ${tenth}`).toBeGreaterThan(15);
  expect(splitText(text, 0.05, 100)).toEqual({ training, heldOut });
  for (const block of heldOut) expect(block.length).toBeGreaterThan(75);
});

test.each([0.01, 0.1, 0.5, 0.9])("every character is on one side, whatever the text: %d", (fraction) => {
  for (const text of ["", "a", "ab", "👍👍👍", "x".repeat(1000), `${"y".repeat(300)}\n${"z".repeat(10)}\n`, "\n".repeat(50)]) {
    const { training, heldOut } = splitText(text, fraction, 10);
    const pieces = [...training, ...heldOut];
    expect(pieces.reduce((sum, { length }) => sum + length, 0)).toBe(text.length);
    expect(pieces.some((piece) => /^[\udc00-\udfff]|[\ud800-\udbff]$/.test(piece))).toBe(false);
  }
});

const row = (prompt: string, answer: string): Row => ({
  where: "",
  content: {
    messages: [
      { role: "user", content: prompt },
      { role: "assistant", content: answer },
    ],
  },
});
const questions = (rows: readonly Row[]) =>
  rows.map(({ content }) => ("messages" in content ? content.messages[0]!.content : content.text));

test("rows with the same question stay together, wherever they stand", () => {
  const rows = Array.from({ length: 400 }, (_, i) => row(`question ${i % 200}`, `answer ${i}`));
  const { training, heldOut } = splitRows(rows, 0.1, "file");
  expect([training.length, heldOut.length]).toEqual([360, 40]);
  expect(questions(training).filter((question) => questions(heldOut).includes(question))).toEqual([]);
  const places = heldOut.map((one) => rows.indexOf(one));
  for (let quarter = 0; quarter < 4; quarter++) expect(places.filter((i) => Math.floor(i / 100) === quarter).length).toBeGreaterThan(2);
  // The order of the file does not matter.
  expect(questions(splitRows([...rows].reverse(), 0.1, "file").heldOut).sort()).toEqual(questions(heldOut).sort());
});

test("at least one row is held out and one is learned; a frequent question does not fill the held-out part", () => {
  const few = splitRows([row("a", "1"), row("b", "2"), { where: "", content: { text: "c" } }], 0.05, "file");
  expect([few.training.length, few.heldOut.length]).toEqual([2, 1]);
  const rows = [
    ...Array.from({ length: 95 }, (_, i) => row("hello", `${i}`)),
    ...Array.from({ length: 5 }, (_, i) => row(`rare ${i}`, "x")),
  ];
  const { heldOut } = splitRows(rows, 0.04, "file");
  expect(heldOut).toHaveLength(4);
  expect(questions(heldOut)).not.toContain("hello");
  expect(() => splitRows([row("a", "1"), row("a", "2")], 0.5, "file")).toThrow(facts("file: heldOut: …1"));
});

import type { Oracle } from "../oracle.js";

/** The openers that are left when adjacent pairs are removed: the stack, bottom first. */
function stack(sequence: string): string {
  let left = sequence;
  for (let before = ""; before !== left; ) {
    before = left;
    left = left.replace(/\(\)|\[\]|\{\}|<>/g, "");
  }
  return left;
}

/** Rewrites every thought from the sequence, in the wording of the question, and compares the texts. */
function wrongThoughts(question: string): number[] {
  const chinese = /栈/.test(question);
  const sequence = /(?:Sequence: |序列：)(\S+)/.exec(question)![1]!;
  const [name, empty, end] = chinese
    ? ["栈", "空", "已经读到结尾。最终栈是空的。"]
    : ["stack", "empty", "This is the end. The stack is empty."];
  const contents = [...sequence].map((bracket, i) => `${bracket} ; ${name}: ${stack(sequence.slice(0, i + 1)) || empty}`);
  const expected = [undefined, `${name}: ${empty}`, ...contents, end];
  const thoughts = question.split("\n").filter((line) => line.startsWith("Thought "));
  if (thoughts.length !== expected.length) throw new Error(`${thoughts.length} thoughts for ${sequence}`);
  return thoughts.flatMap((thought, i) => (expected[i] === undefined || thought === `Thought ${i + 1}: ${expected[i]}` ? [] : [i + 1]));
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const right = wrongThoughts(row.question);
    const thoughts = row.question.split("\n").filter((line) => line.startsWith("Thought ")).length;
    const any = 1 + Math.floor(random.next() * thoughts);
    const given = new Set(right);
    const kind = random.next();
    if (kind < 0.3) {
      given.clear();
      given.add(any);
    } else if (kind < 0.5) given.add(any);
    else if (kind < 0.6) given.clear();
    const text = given.size > 0 ? [...given].join(", ") : '""';
    return { text, right: given.size === right.length && right.every((number) => given.has(number)) };
  },
};

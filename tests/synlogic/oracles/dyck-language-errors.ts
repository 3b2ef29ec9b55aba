import type { Oracle } from "../oracle.js";

/** Whether some balanced sequence begins like that: removing adjacent pairs leaves openers only. */
function extendable(sequence: string): boolean {
  let left = sequence;
  for (let before = ""; before !== left; ) {
    before = left;
    left = left.replace(/\(\)|\[\]|\{\}|<>/g, "");
  }
  return /^[([{<]*$/.test(left);
}

function answer(sequence: string): number {
  for (let length = 1; length <= sequence.length; length++) if (!extendable(sequence.slice(0, length))) return length;
  const openers = sequence.replace(/[^([{<]/g, "").length;
  return openers * 2 === sequence.length ? -1 : sequence.length + 1;
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const sequence = row.question.split("\n").find((line) => /^[()[\]{}<>]+$/.test(line))!;
    const right = answer(sequence);
    const kind = random.next();
    let given = right;
    if (kind < 0.2) given = right + 1;
    else if (kind < 0.4) given = right - 1;
    else if (kind < 0.6) given = Math.floor(random.next() * (sequence.length + 3)) - 1;
    return { text: String(given), right: given === right };
  },
};

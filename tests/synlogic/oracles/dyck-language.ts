import type { Oracle } from "../oracle.js";

const CLOSER: Record<string, string> = { "(": ")", "[": "]", "{": "}", "<": ">" };

/** Whether a sequence is balanced: removing adjacent pairs leaves nothing. */
function balanced(sequence: string): boolean {
  let left = sequence;
  for (let before = ""; before !== left; ) {
    before = left;
    left = left.replace(/\(\)|\[\]|\{\}|<>/g, "");
  }
  return left === "";
}

/** The shortest balanced completions, by trying all of them. */
function completions(begin: string): string[] {
  for (let tails = [""]; ; tails = tails.flatMap((tail) => Object.values(CLOSER).map((closer) => tail + closer))) {
    const all = tails.map((tail) => begin + tail).filter(balanced);
    if (all.length > 0) return all;
  }
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    // The line of the question that has brackets only.
    const begin = row.question.split("\n").find((line) => /^[()[\]{}<>]+$/.test(line))!;
    const right = completions(begin);
    let text = right[0]!;
    const at = Math.floor(random.next() * text.length);
    const any = "()[]{}<>"[Math.floor(random.next() * 8)]!;
    const kind = random.next();
    if (kind < 0.2) text = text.slice(0, at) + any + text.slice(at + 1);
    else if (kind < 0.35) text = text.slice(0, -1) + any;
    else if (kind < 0.45) text += CLOSER[any] ? any + CLOSER[any] : any;
    else if (kind < 0.55) text = text.slice(0, at) + text.slice(at + 1);
    else if (kind < 0.6) text = begin;
    return { text, right: right.includes(text) };
  },
  solutions: (row) => completions((row.metadata as { question_sequence: string }).question_sequence).length,
};

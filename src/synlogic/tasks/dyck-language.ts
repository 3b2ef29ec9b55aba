import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomChoice } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataString } from "../metadata.js";
import { bareAnswer, undecorated } from "../reading/bare.js";
import { accept, type Language, type Row, reject, undecided } from "../row.js";
import { BRACKET_PAIRS, closersOf, drawBrackets, isBalanced, scanBrackets } from "../search/brackets.js";

type DyckLanguage = {
  readonly n_types: number;
  readonly total_length: number;
  readonly to_fill_length: number;
  readonly nesting_depth: number;
};

const BRACKETS = /^[()[\]{}<>\s]+$/;

/** Returns the given beginning of the sequence, and the brackets that it leaves open. */
function beginning(row: Row): { readonly begin: string; readonly open: readonly string[] } {
  const begin = metadataString(row, "question_sequence");
  const { open, error } = scanBrackets(begin);
  if (error !== undefined) throw metadataError(row, "question_sequence", "brackets that all closers match");
  return { begin, open };
}

/** Whether the question asks for the shortest completion. Some published English questions do not. */
const asksForShortest = (question: string) => /minim|short|few|least|[\u4e00-\u9fff]/i.test(question);

export const dyckLanguage: SynlogicTask<DyckLanguage> = {
  name: "dyck_language",
  summary: "Append the closers that a bracket sequence lacks.",
  languages: ["en", "zh"],
  parameters: {
    n_types: { kind: "integer", least: 1, most: 4, meaning: "number of bracket types" },
    total_length: { kind: "integer", least: 2, most: 200, meaning: "length of the whole sequence; an odd length is lowered by one" },
    to_fill_length: { kind: "integer", least: 1, most: 100, meaning: "number of closers to append" },
    nesting_depth: { kind: "integer", least: 0, most: 100, meaning: "least nesting depth of the sequence; 0 for any" },
  },
  levels: {
    tiny: { n_types: 2, total_length: 6, to_fill_length: 1, nesting_depth: 0 },
    easy: { n_types: 2, total_length: 10, to_fill_length: 1, nesting_depth: 0 },
    medium: { n_types: 3, total_length: 15, to_fill_length: 3, nesting_depth: 0 },
    hard: { n_types: 4, total_length: 20, to_fill_length: 5, nesting_depth: 0 },
  },
  attributes: ["to_fill_length", "total_length", "n_types", "nesting_depth"],
  generate(random, { n_types, total_length, to_fill_length, nesting_depth }, language) {
    const total = total_length - (total_length % 2);
    const pairs = BRACKET_PAIRS.slice(0, n_types);
    const known = total - to_fill_length;
    const begin = known < to_fill_length ? undefined : drawBrackets(random, pairs, known, to_fill_length, nesting_depth);
    if (begin === undefined) {
      throw new InputError(
        `dyck_language: to_fill_length, nesting_depth: expected at most half of the length ${total}, got ${to_fill_length}, ${nesting_depth}`,
      );
    }
    const full = begin + closersOf(scanBrackets(begin).open);
    return {
      question: question(begin, language),
      answer: full,
      metadata: { full_sequence: full, question_sequence: begin, n_types, total_length: total, fill_length: to_fill_length, nesting_depth },
    };
  },
  solve(row) {
    const { begin, open } = beginning(row);
    return begin + closersOf(open);
  },
  verify(row, text) {
    const { begin, open } = beginning(row);
    const expected = begin + closersOf(open);
    const { line, whole, fenced } = bareAnswer(text);
    const candidates = [line, whole].map((one) => one.replace(/\s+/g, ""));
    if (candidates.includes(expected)) {
      return fenced
        ? undecided("the question asks for the sequence alone, but it is in a code block", line)
        : accept(line, "the sequence is balanced and as short as possible");
    }
    const sequence = candidates[0]!;
    if (!BRACKETS.test(sequence)) {
      return undecorated(line).some((one) => one.replace(/\s+/g, "") === expected)
        ? undecided("the question asks for the sequence alone, but there is other text around it", line)
        : reject("the last line is not the completed sequence", line);
    }
    if (!sequence.startsWith(begin)) return reject(`the sequence does not begin with ${begin}`, line);
    if (!isBalanced(sequence)) return reject("not every bracket is closed by one of its own type in the right order", line);
    const longer = "the sequence is balanced, but there is a shorter one";
    return asksForShortest(row.question) ? reject(longer, line) : undecided(longer, line);
  },
  guess(row, random: Random) {
    const { begin, open } = beginning(row);
    return begin + open.map(() => randomChoice(random, BRACKET_PAIRS)[1]!).join("");
  },
  published(row, response) {
    const bare = response.replaceAll("\\n", "").replace(/\s+/g, "");
    const text = /^(["']).*\1$/.test(bare) ? bare.slice(1, -1) : bare;
    return text === metadataString(row, "full_sequence");
  },
};

function question(begin: string, language: Language): string {
  if (language === "zh") {
    return `下面是一个合法括号序列的开头部分。括号有圆括号 ()、方括号 []、花括号 {} 和尖括号 <>。
${begin}

请在末尾补上最少的括号，使每个括号都与同类型的括号配对，并且嵌套正确。请在最后一行只写出完整的序列（开头部分加上补充的括号），不要加其他任何内容，例如：
[<>()]`;
  }
  return `The line below is the beginning of a balanced bracket sequence. It may use round (), square [], curly {} and angle <> brackets.
${begin}

Append as few brackets as possible, so that every bracket is closed by one of its own type and all of them nest correctly. Write the whole sequence, the given beginning included, on the last line of your answer and nothing else on that line, for example
[<>()]`;
}

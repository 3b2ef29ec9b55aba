// Rows of LongBench v2 (Bai et al., 2024, https://huggingface.co/datasets/THUDM/LongBench-v2): multiple choice about long documents.

import * as v from "valibot";
import { oneOf } from "../../base/options.js";
import { withoutReasoning } from "../../text/without-reasoning.js";
import { anyText, checkRow, nonEmptyText, parseRows } from "./rows.js";
import { singleTurn, userMessage } from "./single-turn.js";

/** Letter of a choice. */
export type ChoiceLetter = "A" | "B" | "C" | "D";

/** A row of LongBench v2. */
export interface LongBenchRow {
  readonly _id: string;
  readonly domain: string;
  readonly sub_domain: string;
  readonly difficulty: string;
  readonly length: string;
  readonly question: string;
  readonly choice_A: string;
  readonly choice_B: string;
  readonly choice_C: string;
  readonly choice_D: string;
  readonly answer: ChoiceLetter;
  readonly context: string;
}

const schema = v.looseObject({
  _id: nonEmptyText,
  domain: anyText,
  sub_domain: anyText,
  difficulty: anyText,
  length: anyText,
  question: nonEmptyText,
  choice_A: anyText,
  choice_B: anyText,
  choice_C: anyText,
  choice_D: anyText,
  answer: oneOf("A", "B", "C", "D"),
  context: anyText,
});

const promptSchema = v.pick(schema, ["context", "question", "choice_A", "choice_B", "choice_C", "choice_D"]);
const scoredSchema = v.pick(schema, ["answer"]);

/**
 * Reads rows of LongBench v2 from JSON Lines or from a JSON array, as it is published.
 *
 * @param where name of the file in messages
 * @throws {InputError} a row that is not valid, with its line and field
 */
export function parseLongBench(text: string, where = "longbench-v2"): LongBenchRow[] {
  return parseRows(schema, text, where);
}

/** Returns the prompt of a row: the document, the question and its four choices. @throws {InputError} a row without one of them */
export function longBenchPrompt(given: LongBenchRow): string {
  const row = checkRow(promptSchema, given, "longBenchPrompt: row");
  const choices = (["A", "B", "C", "D"] as const).map((letter) => `(${letter}) ${row[`choice_${letter}`]}`).join("\n");
  const question = `Question about the document: ${row.question}`;
  return ["Document:", row.context, question, choices, "One choice is right. Answer with its letter only."].join("\n\n");
}

/** A letter alone, for example "B", "(B)" or "**B.**". */
const LETTER_ALONE = /^[\s(*[]*([A-D])[\s.)*\]]*$/;
/** A letter in a sentence such as "The correct answer is (B)". */
const LETTER_IN_SENTENCE = /\b[Aa]nswer(?: is)?:?\s*[(*[]*([A-D])(?![\w'])/g;

/**
 * Judges a response: 1 if it chooses the right letter, otherwise 0. A choice is a letter alone, or "the answer is" with a letter. A
 * response that names several letters in this way chooses none. Reasoning up to the last `</think>` is cut off.
 *
 * @throws {InputError} a row without answer, or a response that is not a string
 */
export function scoreLongBench(row: Pick<LongBenchRow, "answer">, response: string): number {
  const { answer } = checkRow(scoredSchema, row, "scoreLongBench: row");
  const text = withoutReasoning("scoreLongBench", response);
  const alone = LETTER_ALONE.exec(text)?.[1];
  const letters = new Set(alone ? [alone] : [...text.matchAll(LETTER_IN_SENTENCE)].map(([, letter]) => letter));
  return letters.size === 1 && letters.has(answer) ? 1 : 0;
}

/** Multiple choice about long documents; rows are from {@link parseLongBench}. */
export const longBench = singleTurn<LongBenchRow>({
  name: "longbench-v2",
  messages: (row) => userMessage(longBenchPrompt(checkRow(schema, row, "longbench-v2: row"))),
  score: scoreLongBench,
});

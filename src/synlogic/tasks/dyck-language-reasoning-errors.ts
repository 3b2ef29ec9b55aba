import type { Random } from "../../base/random.js";
import { drawUntil, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataIntegers, metadataString, metadataStrings } from "../metadata.js";
import { bareAnswer, mayBeDecorated, unquoted } from "../reading/bare.js";
import { accept, type Language, reject, undecided } from "../row.js";
import { BRACKET_PAIRS, closerOf, drawBrackets, isOpener } from "../search/brackets.js";

type DyckLanguageReasoningErrors = {
  readonly n_types: number;
  readonly total_length: number;
  readonly n_errors: number;
};

/**
 * The wording of the thoughts, which are the steps of the trace. In the published rows, the thoughts are in Chinese even if the question is
 * in English.
 */
const WORDS = {
  en: {
    begin: "I read the input one bracket at a time and write down the stack.",
    stack: "stack",
    empty: "empty",
    end: "This is the end. The stack is ",
  },
  zh: { begin: "我应该逐个读取括号，并记录栈的内容。", stack: "栈", empty: "空", end: "已经读到结尾。最终栈是" },
} as const;
/** The end of the last thought. It says whether the final stack is empty. */
const ENDS = { en: { empty: "empty.", filled: "not empty." }, zh: { empty: "空的。", filled: "非空的。" } } as const;

/**
 * Returns the stack after each bracket of the sequence, with the outermost bracket first. A closer without a matching opener does not
 * change the stack.
 */
function stacks(sequence: string): string[] {
  const after: string[] = [];
  let stack = "";
  for (const bracket of sequence) {
    if (isOpener(bracket)) stack += bracket;
    else if (stack !== "" && closerOf(stack.at(-1)!) === bracket) stack = stack.slice(0, -1);
    after.push(stack);
  }
  return after;
}

/** Reads the bracket and the stack of a thought. The bracket follows the first colon, the stack the last one. */
function readThought(thought: string): { readonly bracket: string; readonly stack: string } {
  const content = thought.slice(thought.search(/[:：]/) + 1);
  const stack = content.slice(Math.max(content.lastIndexOf(":"), content.lastIndexOf("：")) + 1).trim();
  return { bracket: content.trim().slice(0, 1), stack: ["空", "empty", '""', "[ ]", "∅"].includes(stack) ? "" : stack.replace(/\s+/g, "") };
}

/** Returns the numbers of the wrong thoughts. Each thought is compared with the true stack, not with the thought before it. */
function wrongThoughts(sequence: string, thoughts: readonly string[]): number[] {
  const after = stacks(sequence);
  return thoughts.flatMap((thought, i) => {
    const { bracket, stack } = readThought(thought);
    let right = true;
    if (i === 1) right = stack === "";
    else if (i > 1 && i < sequence.length + 2) right = bracket === sequence[i - 2] && stack === after[i - 2];
    else if (i > 1) right = (after.at(-1) === "") === !/不|非|没|未|not|non|isn/i.test(thought);
    return right ? [] : [i + 1];
  });
}

/**
 * Draws a wrong stack for the bracket at an offset. It removes, adds or replaces one bracket, or ignores the bracket that was just read.
 */
function wrongStack(random: Random, sequence: string, at: number, pairs: readonly string[]): string {
  const after = stacks(sequence);
  const right = after[at]!;
  const someOpener = () => randomChoice(random, pairs)[0]!;
  const damages = [
    () => right.slice(0, -1),
    () => right + someOpener(),
    () => someOpener() + right,
    () => (right === "" ? right : right.slice(0, -1) + someOpener()),
    () => (isOpener(sequence[at]!) ? right : (after[at - 1] ?? "")),
  ];
  return drawUntil(
    () => randomChoice(random, damages)(),
    (stack) => stack !== right,
  );
}

export const dyckLanguageReasoningErrors: SynlogicTask<DyckLanguageReasoningErrors> = {
  name: "dyck_language_reasoning_errors",
  summary: "Find the wrong steps, called thoughts, of a trace that reads a bracket sequence and writes the stack after each bracket.",
  emptyAnswer: true,
  languages: ["en", "zh"],
  parameters: {
    n_types: { kind: "integer", least: 1, most: 4, meaning: "number of bracket types" },
    total_length: { kind: "integer", least: 2, most: 100, meaning: "length of the sequence; an odd length is raised by one" },
    n_errors: { kind: "integer", least: 0, most: 10, meaning: "number of wrong thoughts, at most one for each bracket and one at the end" },
  },
  levels: {
    tiny: { n_types: 2, total_length: 4, n_errors: 1 },
    easy: { n_types: 2, total_length: 10, n_errors: 1 },
    medium: { n_types: 3, total_length: 10, n_errors: 1 },
    hard: { n_types: 3, total_length: 15, n_errors: 1 },
  },
  attributes: ["total_length", "n_errors", "n_types"],
  generate(random, { n_types, total_length, n_errors }, language) {
    const length = total_length + (total_length % 2);
    const pairs = BRACKET_PAIRS.slice(0, n_types);
    const sequence = drawBrackets(random, pairs, length, 0)!;
    const wrong = new Set(shuffle(random, Array(length + 1).keys()).slice(0, n_errors));
    const { begin, stack, empty, end } = WORDS[language];
    const shown = stacks(sequence).map((right, at) => (wrong.has(at) ? wrongStack(random, sequence, at, pairs) : right));
    const contents = [
      begin,
      `${stack}: ${empty}`,
      ...shown.map((one, at) => `${sequence[at]} ; ${stack}: ${one || empty}`),
      `${end}${ENDS[language][wrong.has(length) ? "filled" : "empty"]}`,
    ];
    const thoughts = contents.map((content, i) => `Thought ${i + 1}: ${content}`);
    const errors = [...wrong].sort((a, b) => a - b).map((at) => at + 3);
    return {
      question: question(sequence, thoughts, language),
      answer: errors.join(","),
      metadata: { dyck_sequence: sequence, thoughts, error_indices: errors, n_types, total_length: length, n_errors: errors.length },
    };
  },
  solve(row) {
    const wrong = wrongThoughts(metadataString(row, "dyck_sequence"), metadataStrings(row, "thoughts"));
    return wrong.length > 0 ? wrong.join(",") : '""';
  },
  verify(row, text) {
    const wrong = wrongThoughts(metadataString(row, "dyck_sequence"), metadataStrings(row, "thoughts"));
    const { line, whole, fenced } = bareAnswer(text);
    const given = readNumbers(unquoted(whole)) ?? readNumbers(unquoted(line));
    if (given) {
      const missed = wrong.find((number) => !given.includes(number));
      const extra = given.find((number) => !wrong.includes(number));
      if (new Set(given).size < given.length) return reject("a number is given twice", line);
      if (extra !== undefined) return reject(`thought ${extra} is right`, line);
      if (missed !== undefined) return reject("a wrong thought is not listed", line);
      return fenced ? undecided("the question asks for the list alone, but it is in a code block", line) : accept(line, listed(wrong));
    }
    if (isDecorated(line, wrong)) return undecided("the question asks for the list alone, but there is other text around it", line);
    return reject('the last line is neither a list of thought numbers nor ""', line);
  },
  guess(row, random) {
    return String(randomInteger(random, 3, metadataStrings(row, "thoughts").length));
  },
  published(row, response) {
    const numbers = response
      .replace(/[^0-9,]/g, "")
      .split(",")
      .filter(Boolean);
    // If Python refuses a number because of its length, the published verifier treats the answer as empty.
    const given = numbers.some((digits) => digits.length > 4300) ? [] : numbers.map(Number);
    const right = new Set(metadataIntegers(row, "error_indices"));
    return new Set(given).size === right.size && given.every((number) => right.has(number));
  },
};

const listed = (wrong: readonly number[]) =>
  wrong.length === 0 ? "no thought is wrong" : `exactly these thoughts are wrong: ${wrong.join(", ")}`;

/** Parses a list of numbers such as "7,9,12". An empty text is the empty list. Returns undefined for any other text. */
function readNumbers(text: string): number[] | undefined {
  if (text === "") return [];
  const numbers = text.split(/[,，、]/).map((part) => part.trim());
  return numbers.every((digits) => /^[1-9][0-9]{0,5}$/.test(digits)) ? numbers.map(Number) : undefined;
}

/** Whether a line contains exactly the right numbers, with words, brackets or other marks around the list. */
function isDecorated(line: string, wrong: readonly number[]): boolean {
  if (!mayBeDecorated(line)) return false;
  if (wrong.length === 0) return NOTHING.test(line) || (/""|“”|''/.test(line) && !/[0-9]/.test(line));
  const numbers =
    DECORATED_LIST.exec(line)?.[1]
      ?.match(/[0-9]+/g)
      ?.map(Number) ?? [];
  return numbers.length === wrong.length && wrong.every((number) => numbers.includes(number));
}

/** Matches an empty list or an empty box. */
const NOTHING = /^(?:\[\s*\]|\$?\\boxed\{(?:\\text\{)?(?:""|'')?\}{1,2}\$?)$/;
/** Matches a line with a single list of numbers that are separated by commas or a word. */
const DECORATED_LIST =
  /^[^0-9]*?(?<![A-Za-z_.,，+−-])([1-9][0-9]*(?:\s*(?:[,，、]\s*)?(?:(?:and|和)\s*)?(?:(?:thought|step|第|思考|步骤)\s*)?(?<![0-9])[1-9][0-9]*)*)(?![A-Za-z_,，])[^0-9]*$/i;

function question(sequence: string, thoughts: readonly string[], language: Language): string {
  if (language === "zh") {
    return `下面是一个括号序列，以及逐个读取其括号并记录栈的推理步骤。栈从底到顶写出尚未闭合的左括号，“空”表示栈为空。

序列：${sequence}
${thoughts.join("\n")}

请检查每一步（Thought）。第 1 步只是说明，不会出错；第 2 步给出空栈；此后每一步给出序列的下一个括号以及读取它之后的栈；最后一步说明结尾时栈是否为空。
每一步都要与真实的栈比较，而不是与上一步写出的栈比较。

请在最后一行只写出所有错误步骤的编号，从小到大用逗号分隔，例如 7,9,12。如果没有错误，请在最后一行写 ""。`;
  }
  return `Below is a bracket sequence, and a trace of numbered thoughts that reads the brackets one by one and writes down the stack after each of them. The stack lists the open brackets from bottom to top; "empty" is the empty stack.

Sequence: ${sequence}
${thoughts.join("\n")}

Check every thought. Thought 1 is an introduction and cannot be wrong. Thought 2 shows the empty stack. Each further thought shows the next bracket of the sequence and the stack after reading it. The last thought states whether the stack is empty at the end.
Compare each thought with the true stack, not with the stack in the thought before it.

Write the numbers of all wrong thoughts on the last line of your answer, in rising order with commas between them, for example 7,9,12, and nothing else on that line. If no thought is wrong, write "" there.`;
}

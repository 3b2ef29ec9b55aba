import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, randomChoice, randomInteger } from "../../base/random-draws.js";
import { exactly } from "../arithmetic/expression.js";
import { type Fraction, fraction, printedFraction } from "../arithmetic/fraction.js";
import type { SynlogicTask } from "../definition.js";
import { boxes, lastBox, plainText } from "../reading/final-text.js";
import { accept, type Language, type Row, reject, undecided } from "../row.js";
import {
  comparesNumbers,
  factsIn,
  type Logic,
  parseLogic,
  type Reading,
  type Truth,
  truthOf,
  valueOfTerm,
} from "./boolean-expressions-logic.js";
import { booleanQuestion, COMPARISONS, type Comparison, factsOf, numberOperatorOf, truthOfFact } from "./boolean-expressions-text.js";

type BooleanExpressions = {
  readonly min_depth: number;
  readonly max_depth: number;
  readonly min_options: number;
  readonly max_options: number;
};

const MAX_CHARACTERS = 500;
const MAX_OPTIONS = 26;
/** Maximum number of unknown facts whose truth is derived from the stored answer. */
const MAX_UNKNOWN_FACTS = 10;

/** Returns the options of a question, in order. */
function optionsOf(row: Row): Logic[] {
  const options: Logic[] = [];
  for (const line of row.question.split("\n")) {
    const [, label, text] = /^\s*([A-Z])[.．、:：)]\s*(.+)$/.exec(line) ?? [];
    if (label === String.fromCharCode(65 + options.length) && options.length < MAX_OPTIONS) options.push(parseLogic(text!));
  }
  if (options.length === 0)
    throw new InputError("boolean_expressions: row.question: expected lines that begin with A., B. and so on, got none");
  return options;
}

/** Emulates the published generator, which takes every number other than 0 as true. It takes the disputed fact as true as well. */
const nonZero = (left: Fraction, word: string, right: Fraction): Truth => {
  const value = exactly.apply(numberOperatorOf(word) ?? "", left, right);
  return value && value.numerator !== 0n;
};

/**
 * Returns the truth value of each option, undefined for an option that depends on something without a truth value. Unknown facts get the
 * values for which the most options agree with the stored answer.
 */
function truthsOf(row: Row): Truth[] {
  const options = optionsOf(row);
  const stored = labelSet(String(row.answer)) ?? new Set<string>();
  const isStored = (i: number) => stored.has(String.fromCharCode(65 + i));
  const unknown = [...new Set(options.flatMap(factsIn).filter((text) => truthOfFact(text) === undefined))];
  if (unknown.length > MAX_UNKNOWN_FACTS) return options.map((_, i) => isStored(i));
  let best = -1;
  let found: Set<Truth>[] = [];
  for (let bits = 0; bits < 1 << unknown.length; bits++) {
    const fact = (text: string, disputed: Truth): Truth => {
      const known = truthOfFact(text);
      return known === "disputed" ? disputed : (known ?? ((bits >> unknown.indexOf(text)) & 1) === 1);
    };
    const agreeing = options.filter((option, i) => truthOf(option, { fact: (text) => fact(text, true), number: nonZero }) === isStored(i));
    if (agreeing.length < best) continue;
    if (agreeing.length > best) found = options.map(() => new Set<Truth>());
    best = agreeing.length;
    for (const [i, option] of options.entries()) {
      found[i]!.add(truthOf(option, { fact: (text) => fact(text, undefined), number: () => undefined }));
    }
  }
  return found.map((values, i) => {
    const value = values.size === 1 ? [...values][0] : values.has(undefined) ? undefined : isStored(i);
    // For options without arithmetic, the stored answer counts. It is right, whereas our own view of the truth of a sentence may be wrong.
    return value === undefined || comparesNumbers(options[i]!) ? value : isStored(i);
  });
}

/** Parses labels that are separated by commas or "and". Returns undefined for any other text, and if a label is repeated. */
function labelSet(content: string): Set<string> | undefined {
  const text = content.replace(/\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}/g, "$1").replace(/\\(?:[;,: ]|quad|qquad)|~/g, " ");
  if (text.length > 400) return undefined;
  const inner = /^\s*(?:\\\{|\{)(.*?)(?:\\\}|\})\s*$/.exec(text)?.[1] ?? text;
  const labels = inner.split(/\s*(?:[,，、;；&]|\band\b|和|\s)\s*(?:and\b|和)?\s*/).map((label) => plainText(label).toUpperCase());
  const separated = /^[^,，、;；&]*$/.test(inner) && /[A-Za-z]\s+[A-Za-z]\s*$/.test(inner) && !/\band\b|和/.test(inner);
  if (separated || labels.some((label) => !/^[A-Z]$/.test(label)) || new Set(labels).size < labels.length) return undefined;
  return new Set(labels);
}

const write = (truths: readonly Truth[]) => truths.flatMap((truth, i) => (truth ? [String.fromCharCode(65 + i)] : [])).join(",");

/** Find the options that are true. */
export const booleanExpressions: SynlogicTask<BooleanExpressions> = {
  name: "boolean_expressions",
  summary: "Find all true options. Each is an expression of facts and comparisons, joined by not, and, or.",
  languages: ["en", "zh"],
  parameters: {
    min_depth: { kind: "integer", least: 0, most: 6, meaning: "least nesting of an option" },
    max_depth: { kind: "integer", least: 0, most: 6, meaning: "most nesting of an option" },
    min_options: { kind: "integer", least: 2, most: 26, meaning: "fewest options" },
    max_options: { kind: "integer", least: 2, most: 26, meaning: "most options" },
  },
  levels: {
    tiny: { min_depth: 1, max_depth: 1, min_options: 3, max_options: 3 },
    easy: { min_depth: 2, max_depth: 2, min_options: 4, max_options: 4 },
    medium: { min_depth: 3, max_depth: 3, min_options: 5, max_options: 5 },
    hard: { min_depth: 4, max_depth: 4, min_options: 6, max_options: 6 },
  },
  attributes: ["max_options", "max_depth", "min_options", "min_depth"],
  generate(random, { min_depth, max_depth, min_options, max_options }, language) {
    if (min_depth > max_depth) throw new InputError(`boolean_expressions: min_depth: expected at most ${max_depth}, got ${min_depth}`);
    if (min_options > max_options)
      throw new InputError(`boolean_expressions: min_options: expected at most ${max_options}, got ${min_options}`);
    const count = randomInteger(random, min_options, max_options);
    const draw = () => {
      const depth = randomInteger(random, min_depth, max_depth);
      return drawUntil(
        () => drawLogic(random, depth, language),
        (text) => text.length <= MAX_CHARACTERS,
      );
    };
    const reading: Reading = { fact: (text) => truthOfFact(text) === true, number: () => undefined };
    const answerOf = (options: readonly string[]) => write(options.map((option) => truthOf(parseLogic(option), reading)));
    const options = drawUntil(
      () => Array.from({ length: count }, draw),
      (drawn) => answerOf(drawn) !== "",
    );
    return { question: booleanQuestion(options, language), answer: answerOf(options), metadata: null };
  },
  solve(row) {
    const stored = labelSet(String(row.answer));
    return `\\boxed{${write(truthsOf(row).map((truth, i) => truth ?? stored?.has(String.fromCharCode(65 + i))))}}`;
  },
  verify(row, text) {
    const found = lastBox(text);
    if (found === undefined) return reject("there is no complete \\boxed{…} after the reasoning");
    const shown = found.slice(0, 200);
    const labels = labelSet(found);
    if (!labels) return reject("the box does not hold different labels that are separated by commas", shown);
    const truths = truthsOf(row);
    const unknown = [...labels].find((label) => label.charCodeAt(0) - 65 >= truths.length);
    if (unknown !== undefined) return reject(`there is no option ${unknown}`, shown);
    const names = truths.map((_, i) => String.fromCharCode(65 + i));
    const wrong = names.find((name, i) => truths[i] !== undefined && truths[i] !== labels.has(name));
    if (wrong !== undefined) return reject(`option ${wrong} is ${labels.has(wrong) ? "false" : "true"}`, shown);
    const open = names.filter((_, i) => truths[i] === undefined);
    if (open.length > 0) return undecided(`the truth of option ${open.join(", ")} is not known`, shown);
    return accept(shown, "exactly the true options are listed");
  },
  guess(row, random) {
    const options = optionsOf(row);
    const drawn = drawUntil(
      () => options.map(() => randomBoolean(random)),
      (some) => some.includes(true),
    );
    return `\\boxed{${write(drawn)}}`;
  },
  published(row, response) {
    const letters = (text: string) => [...new Set(text.toLowerCase().match(/[a-z]/g) ?? [])].sort().join("");
    const box = boxes(response).at(-1);
    return box !== undefined && letters(box) === letters(String(row.answer));
  },
};

/** Draws an expression with brackets around each operand. */
function drawLogic(random: Random, depth: number, language: Language): string {
  if (depth === 0 || (depth <= 2 && randomBoolean(random, 0.3))) return drawLeaf(random, language);
  const operand = () => `(${drawLogic(random, depth - 1, language)})`;
  const kind = random.next();
  if (kind < 0.35) return `${"not ".repeat(randomInteger(random, 1, 3))}${operand()}`;
  const count = depth > 2 && randomBoolean(random, 0.4) ? 3 : 2;
  return Array.from({ length: count }, operand).join(kind < 0.7 ? " and " : " or ");
}

function drawLeaf(random: Random, language: Language): string {
  const kind = random.next();
  if (kind < 0.3) return randomBoolean(random) ? "True" : "False";
  if (kind < 0.6) return randomChoice(random, factsOf(language, randomBoolean(random)));
  const comparison = randomChoice(random, Object.keys(COMPARISONS[language]) as Comparison[]);
  const left = drawTerm(random);
  // Two random terms are hardly ever equal.
  const even = (comparison === "=" || comparison === "!=") && randomBoolean(random);
  return `(${left}) ${COMPARISONS[language][comparison]} (${even ? sameTerm(random, left) : drawTerm(random)})`;
}

function drawTerm(random: Random): string {
  const integer = (most: number) => randomInteger(random, -most, most);
  const operator = () => randomChoice(random, ["+", "-", "*"]);
  if (randomBoolean(random, 0.3)) return `${integer(9)} - (${integer(12)} / ${randomInteger(random, 1, 12)})`;
  if (randomBoolean(random, 0.4)) return `${integer(12)} ${operator()} ${integer(12)}`;
  return `${integer(12)} * ${integer(12)} ${operator()} ${integer(9)} * ${integer(9)}`;
}

/** Writes another term with the same value. */
function sameTerm(random: Random, term: string): string {
  const shift = randomInteger(random, 1, 9);
  const value = valueOfTerm(term)!;
  if (value.denominator === 1n) return `${value.numerator + BigInt(shift)} - ${shift}`;
  // v = s − (s − v), where s − v is a fraction.
  const rest = fraction(BigInt(shift) * value.denominator - value.numerator, value.denominator);
  return `${shift} - (${printedFraction(rest).replace("/", " / ")})`;
}

import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import { printedJson } from "../../base/printed.js";
import type { Random } from "../../base/random.js";
import { randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { canonicalText, lastJsonBlock } from "../reading/json-block.js";
import { type Literal, parseLiteral } from "../reading/literal.js";
import { accept, type Json, type Row, reject, undecided, type Verdict } from "../row.js";
import { type HouseClue, type HousePuzzle, type Houses, holdsClue, solveHouses, type Value } from "../search/houses.js";
import { ATTRIBUTES, question } from "./zebra-puzzle-text.js";

type ZebraPuzzle = {
  readonly houses: number;
  readonly attributes: number;
};

/** The kinds of clues, repeated according to how often they are drawn. Clues about single houses are rare, because they reveal much. */
const KINDS: readonly HouseClue[0][] = ["same", "same", "same", "left", "left", "next", "next", "not", "not", "is"];
const MAX_HOUSES = 12;

/** Returns the puzzle in the metadata. Returns undefined if the metadata contains no puzzle; then only the stored answer decides. */
function puzzleOf(row: Row): HousePuzzle | undefined {
  const { attributes, values, clues } = row.metadata ?? {};
  if (!Array.isArray(attributes) || attributes.length === 0 || !isObject(values) || !Array.isArray(clues)) return undefined;
  if (new Set(attributes).size < attributes.length) return undefined;
  const isList = (x: unknown): x is Value[] => Array.isArray(x) && x.every((one) => ["string", "number"].includes(typeof one));
  const lists = attributes.map((attribute) => values[String(attribute)]);
  const count = isList(lists[0]) ? lists[0].length : 0;
  if (count === 0 || count > MAX_HOUSES || !lists.every((list) => isList(list) && list.length === count)) return undefined;
  const hasValue = (attribute: unknown, value: unknown) => (lists[attributes.indexOf(attribute as string)] as unknown[])?.includes(value);
  const isClue = (x: unknown) => {
    if (!Array.isArray(x) || !hasValue(x[1], x[2])) return false;
    if (x[0] === "is" || x[0] === "not") return x.length === 4 && Number.isSafeInteger(x[3]) && x[3] >= 0 && x[3] < count;
    return ["same", "left", "next"].includes(x[0]) && x.length === 5 && hasValue(x[3], x[4]);
  };
  return clues.every(isClue) ? (row.metadata as unknown as HousePuzzle) : undefined;
}

/** Converts houses to the form of an answer. */
const objectOf = (houses: Houses): { readonly [house: string]: Json } =>
  Object.fromEntries(
    Object.values(houses)[0]!.map((_, i) => [
      `House ${i + 1}`,
      Object.fromEntries(Object.entries(houses).map(([attribute, values]) => [attribute, values[i]!])),
    ]),
  );

/** Formats JSON as Python does, with a blank after each comma and colon. */
function pythonJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, one]) => `${JSON.stringify(key)}: ${pythonJson(one as Json)}`)
    .join(", ")}}`;
}

/**
 * Returns the stored answer as text. It may be JSON text, any other text, or a JSON value. @throws {InputError} there is no stored answer
 */
function storedText({ answer }: Row): string {
  const text = typeof answer === "string" ? answer.trim() : pythonJson(answer ?? "");
  if (text === "" || text === '""')
    throw new InputError(`zebra_puzzle: row: answer: expected the stored answer, got ${printedJson(answer)}`);
  return text;
}

/**
 * Returns the puzzle and its solution if answers can be checked by the clues. This requires that the stored answer has the form of {@link
 * objectOf}.
 */
function checkedByClues(row: Row): { readonly puzzle: HousePuzzle; readonly solution: Houses } | undefined {
  const puzzle = puzzleOf(row);
  const stored = parseLiteral(storedText(row), "json");
  if (!puzzle || !stored || !entriesOf(stored)?.has("House 1")) return undefined;
  const [solution] = solveHouses(puzzle, 1);
  return solution && { puzzle, solution };
}

/** Reads houses from an answer. Returns undefined if the answer has other keys, or a value that does not belong to the attribute. */
function housesOf(literal: Literal, { attributes, values }: HousePuzzle): Houses | undefined {
  const houses = entriesOf(literal);
  const count = values[attributes[0]!]!.length;
  if (houses?.size !== count) return undefined;
  const rows = Array.from({ length: count }, (_, i) => {
    const one = houses.get(`House ${i + 1}`);
    const entries = one && entriesOf(one);
    if (entries?.size !== attributes.length) return undefined;
    const row = attributes.map((attribute) => {
      const value = entries.get(attribute);
      const plain = value?.kind === "integer" || value?.kind === "string" ? value.value : undefined;
      return values[attribute]!.find((known) => known === plain);
    });
    return row.includes(undefined) ? undefined : (row as Value[]);
  });
  if (rows.includes(undefined)) return undefined;
  return Object.fromEntries(attributes.map((attribute, a) => [attribute, rows.map((row) => row![a]!)]));
}

/** Returns the entries of a dictionary. Returns undefined for another literal, and if a key is not a string or is repeated. */
function entriesOf(literal: Literal): ReadonlyMap<string, Literal> | undefined {
  if (literal.kind !== "dictionary") return undefined;
  const entries = new Map<string, Literal>();
  for (const [key, value] of literal.entries) {
    if (key.kind !== "string" || entries.has(key.value)) return undefined;
    entries.set(key.value, value);
  }
  return entries;
}

function verifyByClues(literal: Literal, found: string, puzzle: HousePuzzle, solution: Houses): Verdict {
  const houses = housesOf(literal, puzzle);
  if (!houses) {
    const expected = parseLiteral(pythonJson(objectOf(solution)), "json");
    return expected && canonicalText(literal)?.toLowerCase() === canonicalText(expected)?.toLowerCase()
      ? undecided("the answer differs from the solution in upper and lower case only", found)
      : reject("a house, an attribute or a value is missing, repeated or unknown", found);
  }
  for (const attribute of puzzle.attributes) {
    const repeated = houses[attribute]!.find((value, i, all) => all.indexOf(value) !== i);
    if (repeated !== undefined) return reject(`${attribute} ${repeated} is given to two houses`, found);
  }
  const broken = puzzle.clues.findIndex((clue) => !holdsClue(clue, houses));
  return broken < 0 ? accept(found) : reject(`clue ${broken + 1} does not hold (${puzzle.clues[broken]!.join(" ")})`, found);
}

export const zebraPuzzle: SynlogicTask<ZebraPuzzle> = {
  name: "zebra_puzzle",
  summary: "Find out who lives in which house, from clues about neighbors.",
  languages: ["en"],
  parameters: {
    houses: { kind: "integer", least: 2, most: 6, meaning: "number of houses" },
    attributes: { kind: "integer", least: 1, most: 7, meaning: "number of attributes, the name included" },
  },
  levels: {
    tiny: { houses: 3, attributes: 1 },
    easy: { houses: 3, attributes: 2 },
    medium: { houses: 4, attributes: 3 },
    hard: { houses: 5, attributes: 5 },
  },
  attributes: ["houses", "attributes"],
  generate(random, { houses: count, attributes: attributeCount }) {
    const [name, ...others] = Object.keys(ATTRIBUTES);
    const attributes = [name!, ...shuffle(random, others).slice(0, attributeCount - 1)];
    const solution: Houses = Object.fromEntries(
      attributes.map((attribute) => [attribute, shuffle(random, ATTRIBUTES[attribute]!.values).slice(0, count)]),
    );
    const values = Object.fromEntries(attributes.map((attribute) => [attribute, [...solution[attribute]!].sort(compareValues)]));
    const puzzle = { attributes, values, clues: drawClues(random, solution, { attributes, values, clues: [] }) };
    const answer = objectOf(solution);
    return {
      question: question(puzzle),
      answer: pythonJson(answer),
      metadata: { attributes, values, clues: puzzle.clues, solution: answer },
    };
  },
  solve(row) {
    const checked = checkedByClues(row);
    return `\`\`\`json\n${checked ? pythonJson(objectOf(checked.solution)) : storedText(row)}\n\`\`\``;
  },
  verify(row, text) {
    const found = lastJsonBlock(text);
    if (found === undefined) return reject("there is no ```json block after the reasoning");
    const literal = parseLiteral(found, "json");
    const checked = checkedByClues(row);
    if (checked) {
      return literal
        ? verifyByClues(literal, found, checked.puzzle, checked.solution)
        : reject("the block does not hold valid JSON", found);
    }
    const stored = parseLiteral(storedText(row), "json");
    // A stored answer that is not JSON is compared as text.
    const expected = stored ? canonicalText(stored) : storedText(row);
    const given = stored ? literal && canonicalText(literal) : found;
    if (expected === undefined) throw new InputError("zebra_puzzle: row: answer: expected every key once");
    if (given === expected) return accept(found, "equal to the stored answer");
    if (given === undefined) return reject("the block does not hold valid JSON, or a key twice", found);
    return given.toLowerCase() === expected.toLowerCase()
      ? undecided("the answer differs from the stored one in upper and lower case only", found)
      : reject("not equal to the stored answer", found);
  },
  guess(row, random) {
    const puzzle = puzzleOf(row);
    if (!puzzle) return "```json\n{}\n```";
    const houses = puzzle.attributes.map((attribute) => [attribute, shuffle(random, puzzle.values[attribute]!)] as const);
    return `\`\`\`json\n${pythonJson(objectOf(Object.fromEntries(houses)))}\n\`\`\``;
  },
  published(row, response) {
    if (typeof row.answer !== "string") return undefined;
    const begin = response.lastIndexOf("```json");
    if (begin < 0) return false;
    const end = response.indexOf("```", begin + 7);
    const block = response.slice(begin + 7, end < 0 ? undefined : end).trim();
    const stored = parseLiteral(row.answer, "json");
    if (stored?.kind !== "dictionary") return block === row.answer;
    // The published verifier evaluates text that is not JSON as Python. The value of a literal is known. Any other code can decide the
    // verdict itself.
    const given = parseLiteral(block, "json") ?? parseLiteral(block);
    if (!given) return "evaluates";
    const text = canonicalText(given, "last counts");
    return text !== undefined && text === canonicalText(stored, "last counts");
  },
};

const compareValues = (one: Value, other: Value) => (one < other ? -1 : 1);

/** Draws a clue of a kind that holds for the solution. Returns undefined if there is none. */
function drawClue(random: Random, kind: HouseClue[0], solution: Houses, attributes: readonly string[]): HouseClue | undefined {
  const [one, other = one!] = shuffle(random, attributes);
  const count = solution[one!]!.length;
  const house = randomInteger(random, 0, count - 1);
  const value = solution[one!]![house]!;
  if (kind === "is") return [kind, one!, value, house];
  if (kind === "not") return [kind, one!, value, (house + randomInteger(random, 1, count - 1)) % count];
  if (kind === "same") return one === other ? undefined : [kind, one!, value, other, solution[other]![house]!];
  const neighbour = house + (kind === "left" ? 1 : randomChoice(random, [-1, 1]));
  const otherValue = solution[other]![neighbour];
  return otherValue === undefined ? undefined : [kind, one!, value, other, otherValue];
}

/** Draws clues that allow only one solution. None of them is redundant. */
function drawClues(random: Random, solution: Houses, puzzle: HousePuzzle): HouseClue[] {
  const isUnique = (clues: readonly HouseClue[]) => solveHouses({ ...puzzle, clues }, 2).length === 1;
  let clues: HouseClue[] = [];
  while (!isUnique(clues)) {
    const clue = drawClue(random, randomChoice(random, KINDS), solution, puzzle.attributes);
    if (clue && !clues.some((one) => String(one) === String(clue))) clues.push(clue);
  }
  for (const clue of shuffle(random, clues)) {
    const rest = clues.filter((one) => one !== clue);
    if (isUnique(rest)) clues = rest;
  }
  return shuffle(random, clues);
}

// Reads the people of web_of_lies and their clues from the metadata, and draws people.

import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, shuffle } from "../../base/random-draws.js";
import { metadataError, metadataStrings, metadataValue } from "../metadata.js";
import type { Json, Language, Row } from "../row.js";
import { PEOPLE } from "../vocabulary.js";
import { type Clue, holdsPair, type PairClaim, possibleAnswers } from "./web-of-lies-solver.js";
import { PLACES } from "./web-of-lies-text.js";

export type WebOfLies = {
  readonly num_person: number;
  readonly difficulty: number;
  readonly statement_type: number;
};

/** A statement of a person, in the form of the metadata. Its exact meaning depends on who tells the truth. */
type Statement =
  | { readonly type: "simple" | "same_type"; readonly speaker_id: number; readonly target_id: number }
  | { readonly type: "at_least_one"; readonly speaker_id: number; readonly target_ids: readonly [number, number] };

/** A person, in the form of the metadata. */
export type Person = {
  readonly id: number;
  readonly name: string;
  readonly location: string;
  readonly is_truth_teller: boolean;
  readonly is_target: boolean;
  readonly has_truth_narration: boolean;
  readonly statements: readonly Statement[];
};

function isPerson(value: Json, index: number, count: number): boolean {
  const isId = (x: unknown) => Number.isSafeInteger(x) && (x as number) >= 0 && (x as number) < count;
  const isStatement = (x: unknown) =>
    isObject(x) &&
    isId(x.speaker_id) &&
    (((x.type === "simple" || x.type === "same_type") && isId(x.target_id)) ||
      (x.type === "at_least_one" && Array.isArray(x.target_ids) && x.target_ids.length === 2 && x.target_ids.every(isId)));
  return (
    isObject(value) &&
    value.id === index &&
    [value.name, value.location].every((x) => typeof x === "string") &&
    [value.is_truth_teller, value.is_target, value.has_truth_narration].every((x) => typeof x === "boolean") &&
    Array.isArray(value.statements) &&
    value.statements.every(isStatement)
  );
}

/** Reads the people of a row. */
export const peopleOf = (row: Row): readonly Person[] =>
  metadataValue(row, "people", "a list of people with ids from 0", (x): x is readonly Person[] => {
    return Array.isArray(x) && x.every((person, i) => isPerson(person, i, x.length));
  });

/** Returns the clues of a puzzle. @param texts the printed statements */
export function cluesOf(people: readonly Person[], texts: readonly string[]): Clue[] {
  const truth = (id: number) => people[id]!.is_truth_teller;
  const isPair = (text: string, speaker: number, targets: readonly number[]) => {
    const [begin, ...others] = [speaker, ...targets].map((id) => mention(text, people[id]!));
    return /at least one|至少/.test(text) && begin! >= 0 && others.every((at) => at > begin!);
  };
  return people.flatMap(({ id, has_truth_narration, statements }): Clue[] => {
    const said = statements.map((statement): Clue => {
      const { speaker_id: speaker } = statement;
      if (statement.type === "at_least_one") {
        const [a, b] = statement.target_ids;
        const printed = texts.find((text) => isPair(text, speaker, [a, b]));
        const consistent = truth(speaker) === holdsPair("one tells the truth", truth(a), truth(b)) ? "one tells the truth" : "both lie";
        // The published generator prints the negation as "at least one lies", which has another meaning.
        const claim: PairClaim = printed === undefined ? consistent : /\blies?\b|假|谎/.test(printed) ? "one lies" : "one tells the truth";
        return { kind: "pair", speaker, targets: [a, b], claim };
      }
      const { target_id: target } = statement;
      // If A says "we are of the same kind", B tells the truth, whether or not A lies.
      if (statement.type === "same_type") return { kind: "fact", person: target, truth: truth(target) };
      return { kind: "says", speaker, target, truth: truth(speaker) === truth(target) };
    });
    return has_truth_narration ? [{ kind: "fact", person: id, truth: truth(id) }, ...said] : said;
  });
}

/** Returns the ids of the people that the questions ask about, in the order of the questions. */
export function askedOf(row: Row, people: readonly Person[]): number[] {
  const targets = people.filter(({ is_target }) => is_target);
  // The questions come after all statements. If one name or place contains another, the order of the metadata counts instead.
  const statements = metadataStrings(row, "statements");
  const end = Math.max(0, ...statements.map((text) => row.question.lastIndexOf(text) + text.length));
  const questions = row.question.slice(end);
  const places = targets.map((person) => ({ id: person.id, at: mention(questions, person) }));
  if (places.every(({ at }) => at >= 0) && new Set(places.map(({ at }) => at)).size === places.length) {
    return places.sort((one, other) => one.at - other.at).map(({ id }) => id);
  }
  const solutions = row.metadata?.all_possible_solutions;
  const first = Array.isArray(solutions) ? solutions[0] : undefined;
  const names = isObject(first) ? Object.keys(first) : [];
  const ids = names.map((name) => targets.find((person) => person.name === name)?.id);
  if (ids.length !== targets.length || ids.includes(undefined)) throw metadataError(row, "all_possible_solutions", "the names asked for");
  return ids as number[];
}

/** Returns the offset of the first mention of a person, by name or by place. Returns -1 if there is none. */
function mention(text: string, { name, location }: Person): number {
  const place = escaped(location);
  // A place may be part of another one, as "park" is part of "amusement park". The words around it decide.
  const found = [`\\bat the ${place}\\b`, `在${place}的`, wholeWord(name)].map((pattern) => text.search(new RegExp(pattern)));
  const first = found.filter((at) => at >= 0);
  return first.length > 0 ? Math.min(...first) : text.search(new RegExp(wholeWord(location)));
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Returns a pattern for a phrase that is not part of a longer word. In Chinese, words are not separated. */
const wholeWord = (text: string) => (/^\w/.test(text) ? `\\b${escaped(text)}\\b` : escaped(text));

/** Whether every person makes a statement or is mentioned in one. */
function isEveryoneInvolved(people: readonly Person[]): boolean {
  const involved = people.flatMap(({ statements }) =>
    statements.flatMap((one) => [one.speaker_id, ...(one.type === "at_least_one" ? one.target_ids : [one.target_id])]),
  );
  return new Set(involved).size === people.length;
}

function drawStatement(random: Random, speaker_id: number, count: number, type: number): Statement {
  const [a, b] = shuffle(
    random,
    Array.from({ length: count }, (_, id) => id).filter((id) => id !== speaker_id),
  );
  const kind = type === 0 ? 0 : random.next();
  if (kind < 0.6) return { type: "simple", speaker_id, target_id: a! };
  return kind < 0.8 ? { type: "at_least_one", speaker_id, target_ids: [a!, b!] } : { type: "same_type", speaker_id, target_id: a! };
}

/** Draws people with statements and facts, and the ids of the people to ask about. The statements and facts determine all answers. */
export function drawPeople(random: Random, parameters: WebOfLies, language: Language): { people: Person[]; asked: number[] } {
  return drawUntil(
    () => drawOnce(random, parameters, language),
    ({ people, asked }) => isEveryoneInvolved(people) && possibleAnswers(people.length, cluesOf(people, []), asked)?.length === 1,
  );
}

function drawOnce(random: Random, { num_person, statement_type }: WebOfLies, language: Language) {
  const names = shuffle(random, PEOPLE[language]);
  const places = shuffle(random, PLACES[language]);
  const ids = Array.from({ length: num_person }, (_, id) => id);
  const asked = shuffle(random, ids).slice(0, Math.floor(num_person / 2));
  const drawn = ids.map((id): Person => {
    const share = random.next();
    const count = share < 0.1 ? 0 : share < 0.8 ? 1 : share < 0.95 ? 2 : 3;
    return {
      id,
      name: names[id]!,
      location: places[id]!,
      is_truth_teller: randomBoolean(random),
      is_target: asked.includes(id),
      has_truth_narration: false,
      statements: Array.from({ length: count }, () => drawStatement(random, id, num_person, statement_type)),
    };
  });
  return { people: withFacts(random, drawn, asked), asked };
}

/** Adds facts about people one by one, until all answers follow. Facts about people who are not asked about come first. */
function withFacts(random: Random, people: readonly Person[], asked: readonly number[]): Person[] {
  const known = [...people];
  const order = shuffle(random, people).sort((one, other) => Number(one.is_target) - Number(other.is_target));
  const answers = (id: number) => possibleAnswers(known.length, cluesOf(known, []), [id])?.length ?? 2;
  for (const target of asked) {
    if (answers(target) === 1) continue;
    for (const { id } of order) {
      if (known[id]!.has_truth_narration) continue;
      known[id] = { ...known[id]!, has_truth_narration: true };
      if (answers(target) === 1) break;
      known[id] = { ...known[id]!, has_truth_narration: false };
    }
  }
  return known;
}

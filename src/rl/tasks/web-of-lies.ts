import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import { levelSettings, splitWords, type Task } from "./task.js";

/** A statement of a speaker about another person: that this person is honest, or that this person lies. */
export interface Statement {
  readonly speaker: string;
  readonly about: string;
  readonly honest: boolean;
}

/** An instance. Every person is either always honest or always lies. The honesty of one person is known. */
export interface WebOfLies {
  readonly known: { readonly person: string; readonly honest: boolean };
  readonly statements: readonly Statement[];
}

const PEOPLE = "ABCDEFGH";

/**
 * Per level: the number of people, whether the statements are shuffled, and whether people whose honesty is already known also make
 * statements.
 */
const levels = [
  { fewest: 4, most: 4, shuffled: false, bothWays: false },
  { fewest: 4, most: 5, shuffled: true, bothWays: false },
  { fewest: 6, most: 6, shuffled: true, bothWays: true },
];

const letter = (honest: boolean) => (honest ? "T" : "F");
const says = (honest: boolean) => (honest ? "is honest" : "lies");
const formatStatement = ({ speaker, about, honest }: Statement) => `${speaker} says ${about} ${says(honest)}`;

/** Follows the chain of statements from the known person. Each statement by or about the last person determines one more person. */
function deduce({ known, statements }: WebOfLies) {
  const truth = new Map([[known.person, known.honest]]);
  const used: Statement[] = [];
  let last = known.person;
  for (const _ of statements) {
    const next = statements.find((statement) => !used.includes(statement) && [statement.speaker, statement.about].includes(last))!;
    // An honest speaker tells the truth about the other person, a liar says the opposite. Either person's honesty
    // therefore determines the other's.
    const honest = truth.get(last) === next.honest;
    last = next.speaker === last ? next.about : next.speaker;
    truth.set(last, honest);
    used.push(next);
  }
  return { truth, used };
}

/**
 * Find who is honest and who lies (SynLogic's `web_of_lies`, but asking for every person). A chain of statements that starts at one known
 * person determines all others. Each step takes the statement that mentions the person found last, and adds one person to the list.
 */
export const webOfLies: Task<WebOfLies> = {
  name: "web-of-lies",
  levels: levels.length,

  generate(random, level) {
    const { fewest, most, shuffled, bothWays } = levelSettings(this.name, levels, level);
    const people = shuffle(random, PEOPLE).slice(0, randomInteger(random, fewest, most));
    const chain = people.slice(1).map((person, index) => {
      const [about, speaker] = bothWays && randomBoolean(random) ? [person, people[index]!] : [people[index]!, person];
      return { speaker, about, honest: randomBoolean(random) };
    });
    return { known: { person: people[0]!, honest: randomBoolean(random) }, statements: shuffled ? shuffle(random, chain) : chain };
  },

  question({ known, statements }) {
    const sentences = [`${known.person} ${says(known.honest)}`, ...statements.map(formatStatement)];
    return `Is each honest , T or F ? ${sentences.join(" . ")} .`;
  },

  solve(instance) {
    const { truth, used } = deduce(instance);
    const lists = [...truth].map((_, index, all) => all.slice(0, index + 1).map(([person, honest]) => `${person} ${letter(honest)}`));
    const lines = lists.map((list, index) => (index === 0 ? list[0]! : `${formatStatement(used[index - 1]!)} : ${list.join(" ")}`));
    return { thinking: lines.join("\n"), answer: lists.at(-1)!.join(" ") };
  },

  /** Accepts the people in any order, each once. */
  verify(instance, answer) {
    const { truth } = deduce(instance);
    const words = splitWords(answer);
    if (words.length !== 2 * truth.size) return false;
    const given = new Map([...truth.keys()].map((_, index) => [words[2 * index], words[2 * index + 1]]));
    return [...truth].every(([person, honest]) => given.get(person) === letter(honest));
  },

  guess: ({ known, statements }, random) => {
    const people = new Set([known.person, ...statements.flatMap(({ speaker, about }) => [speaker, about])]);
    return [...people]
      .map((person) => `${person} ${person === known.person ? letter(known.honest) : randomChoice(random, "TF")}`)
      .join(" ");
  },
};

import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataStrings } from "../metadata.js";
import { lastLine, plainText } from "../reading/final-text.js";
import { accept, type Json, type Language, type Row, reject, undecided } from "../row.js";
import { askedOf, cluesOf, drawPeople, type Person, peopleOf, type WebOfLies } from "./web-of-lies-people.js";
import { possibleAnswers } from "./web-of-lies-solver.js";
import { question, SENTENCES, sentence } from "./web-of-lies-text.js";

/** Returns the answers that the printed clues allow, at most two of them. */
function answersOf(row: Row): boolean[][] {
  const people = peopleOf(row);
  const asked = askedOf(row, people);
  const answers = possibleAnswers(people.length, cluesOf(people, metadataStrings(row, "statements")), asked);
  if (!answers) throw metadataError(row, "people", "fewer statements about pairs");
  return answers;
}

const isChinese = (row: Row) => row.metadata?.use_chinese === true;

const write = (answer: readonly boolean[], chinese: boolean) => {
  const words = answer.map((truth) => (chinese ? (truth ? "是" : "否") : truth ? "yes" : "no")).join(", ");
  return chinese ? `答案是 **${words}**。` : `The answer is **${words}**.`;
};

/** The answer in the last line. */
interface FoundAnswer {
  readonly words: readonly string[];
  readonly found: string;
  /** Whether more bold text follows the answer. */
  readonly followed: boolean;
}

/** Finds the last bold list of yes and no in the last line. Bold words with only commas between them form one list. */
function findAnswer(text: string): FoundAnswer | undefined {
  const parts = (lastLine(text) ?? "").split("**");
  const lists: { words: string[]; end: number }[] = [];
  // If every mark is closed, bold text has an odd index.
  for (let i = 1; i + 1 < parts.length; i += 2) {
    const content = plainText(parts[i]!.trim().replace(/^(?:the\s+)?answer\s+is\s*:?|^答案[是为]?\s*[:：]?/i, ""));
    const words = content
      .replace(/[,，、]\s*$/, "")
      .split(/[,，、]/)
      .map((word) => word.trim().toLowerCase());
    if (!words.every((word) => ["yes", "no", "是", "否"].includes(word))) continue;
    const last = lists.at(-1);
    if (last?.end === i - 2 && /^[\s,，、]*$/.test(parts[i - 1]!)) {
      last.words.push(...words);
      last.end = i;
    } else lists.push({ words, end: i });
  }
  const answer = lists.at(-1);
  return answer && { words: answer.words, found: answer.words.join(", "), followed: answer.end + 3 < parts.length };
}

export const webOfLies: SynlogicTask<WebOfLies> = {
  name: "web_of_lies",
  summary: "Find out who tells the truth and who lies, from what people say about each other.",
  languages: ["en", "zh"],
  parameters: {
    num_person: { kind: "integer", least: 3, most: 40, meaning: "number of people, of whom half are asked for" },
    difficulty: { kind: "integer", least: 1, most: 5, meaning: "1 to 2 + difficulty remarks without meaning are added" },
    statement_type: { kind: "integer", least: 0, most: 1, meaning: "1 adds statements about two people and about being of the same kind" },
  },
  levels: {
    tiny: { num_person: 4, difficulty: 1, statement_type: 0 },
    easy: { num_person: 10, difficulty: 5, statement_type: 0 },
    medium: { num_person: 14, difficulty: 5, statement_type: 0 },
    hard: { num_person: 18, difficulty: 5, statement_type: 0 },
  },
  attributes: ["num_person", "statement_type", "difficulty"],
  generate(random, parameters, language) {
    const { people, asked } = drawPeople(random, parameters, language);
    const mention = ({ name, location }: Person) => (randomBoolean(random, 0.3) ? name : SENTENCES[language].atPlace(location));
    const statements = shuffle(random, writeStatements(random, people, parameters.difficulty, mention, language));
    const solution = Object.fromEntries(asked.map((id) => [people[id]!.name, people[id]!.is_truth_teller]));
    const key = Object.values(solution).map((truth) => (truth ? "True" : "False"));
    return {
      question: question(
        statements,
        asked.map((id) => mention(people[id]!)),
        people.length,
        language,
      ),
      answer: Object.values(solution)
        .map((truth) => ANSWERS[language][truth ? 0 : 1])
        .join(", "),
      metadata: {
        num_person: people.length,
        difficulty: parameters.difficulty,
        people: people as unknown as Json,
        statements,
        use_chinese: language === "zh",
        all_possible_solutions: [solution],
        valid_solutions: { [key.join(",")]: 1 },
      },
    };
  },
  solve(row) {
    const [answer, other] = answersOf(row);
    if (!answer || other) throw metadataError(row, "people", "statements that allow one answer");
    return write(answer, isChinese(row));
  },
  verify(row, text) {
    const answers = answersOf(row);
    const answer = findAnswer(text);
    if (!answer) return reject("the last line has no bold list of answers");
    const { words, found, followed } = answer;
    if (answers.length === 0) return reject("the clues contradict each other, so no answer is right", found);
    const count = answers[0]!.length;
    if (words.length !== count) return reject(`expected ${count} answers, got ${words.length}`, found);
    const given = words.map((word) => word === "yes" || word === "是");
    const match = answers.find((one) => String(one) === String(given));
    if (!match) {
      const wrong = answers.length > 1 ? -1 : given.findIndex((truth, i) => truth !== answers[0]![i]);
      return reject(wrong < 0 ? "the clues do not allow these answers" : `answer ${wrong + 1} is wrong`, found);
    }
    if (answers.length > 1) return undecided("the clues allow several answers", found);
    if (followed) return undecided("more bold text follows the answers", found);
    const asksForChinese = isChinese(row);
    if (words.some((word) => /[是否]/.test(word) !== asksForChinese)) return undecided("the answers are in the other language", found);
    return accept(found);
  },
  guess(row, random) {
    const count = peopleOf(row).filter(({ is_target }) => is_target).length;
    return write(
      Array.from({ length: count }, () => randomBoolean(random)),
      isChinese(row),
    );
  },
  published(row, response) {
    if (typeof row.answer !== "string") return undefined;
    const given = publishedList(response);
    return given.length > 0 && given.join() === publishedWords(row.answer).join();
  },
};

const ANSWERS = { en: ["yes", "no"], zh: ["是", "否"] } as const;

function writeStatements(
  random: Random,
  people: readonly Person[],
  difficulty: number,
  mention: (person: Person) => string,
  language: Language,
): string[] {
  const texts = SENTENCES[language];
  const truth = (id: number) => people[id]!.is_truth_teller;
  const name = (id: number) => mention(people[id]!);
  const said = people.flatMap(({ statements }) =>
    statements.map((one) => {
      const { speaker_id } = one;
      const speaker = name(speaker_id);
      if (one.type === "at_least_one") {
        const [a, b] = one.target_ids;
        return texts.saysOneOf(speaker, name(a), name(b), truth(speaker_id) === (truth(a) || truth(b)));
      }
      const target = name(one.target_id);
      if (one.type === "same_type") return texts.saysSame(speaker, target, truth(one.target_id));
      return texts.says(speaker, target, truth(speaker_id) === truth(one.target_id));
    }),
  );
  const facts = people
    .filter(({ has_truth_narration }) => has_truth_narration)
    .map((person) => randomChoice(random, texts.facts[person.is_truth_teller ? "truth" : "lies"])(mention(person)));
  const idle = Array.from({ length: randomInteger(random, 1, 2 + difficulty) }, () => {
    const [a, b] = shuffle(random, people);
    return randomChoice(random, texts.idle)(mention(a!), mention(b!));
  });
  const places = people.map(({ name: one, location }) => texts.isAt(one, location));
  return [...new Set([...places, ...facts, ...said, ...idle].map((text) => sentence(text, language)))];
}

/** Emulates how the published verifier reads words. It counts them anywhere in the answer. */
function publishedWords(text: string): boolean[] {
  const words = text.toLowerCase().match(/yes|truth|true|no|false|lie|是|真|否|假|谎/g) ?? [];
  return words.map((word) => ["yes", "truth", "true", "是", "真"].includes(word));
}

/** Emulates how the published verifier finds the answers in a message. */
function publishedList(response: string): boolean[] {
  const message = response.trim();
  const line = message.slice(message.lastIndexOf("\n") + 1);
  const bold = /(?:answer is|答案是)\s*[:：]\s*\*\*([^*]+)\*\*[.。]?$/i.exec(line)?.[1] ?? /\*\*([^*]+)\*\*/.exec(line)?.[1];
  if (bold !== undefined) return publishedWords(bold);
  const said = [...message.matchAll(/(?:answer is|答案是)([^.。\n]*)/gi)].at(-1)?.[1];
  return publishedWords(said ?? /(?:yes|no|是|否)(?:\s*[,，]\s*(?:yes|no|是|否))*/i.exec(message)?.[0] ?? "");
}

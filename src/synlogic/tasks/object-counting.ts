import { InputError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataObject, metadataStrings } from "../metadata.js";
import { lastBoxedNumber, publishedBoxedNumber, wholeNumber } from "../reading/boxed-number.js";
import { accept, type Language, type Row, reject } from "../row.js";
import { CATEGORIES, history, OWNERS, query, question, REMARKS, sentence } from "./object-counting-text.js";

type ObjectCounting = {
  readonly min_count: number;
  readonly max_count: number;
  readonly min_categories: number;
  readonly max_categories: number;
  readonly min_my_items_per_category: number;
  readonly max_my_items_per_category: number;
  readonly min_other_items: number;
  readonly max_other_items: number;
};

/** An item with its count and a remark about it. */
type Possession = readonly [item: string, count: number, remark: string];

/** Draws the amounts that precede a count. */
function drawHistory(random: Random, count: number, { max_count }: ObjectCounting): number[] {
  const amounts = [count];
  for (let steps = randomInteger(random, 2, 5); steps > 0; steps--) {
    const later = amounts[0]!;
    const earlier = randomInteger(random, 1, Math.max(max_count, later) - 1);
    // Each amount differs from the next one.
    amounts.unshift(earlier < later ? earlier : earlier + 1);
  }
  return amounts;
}

function drawRemark(random: Random, item: string, count: number, parameters: ObjectCounting, language: Language): string {
  const share = random.next();
  if (share < 0.4) return "";
  return share < 0.8 ? randomChoice(random, REMARKS[language]) : history(item, drawHistory(random, count, parameters), language);
}

/** Returns the counts of the first person's items of a category. */
function countsOf(row: Row, category: string): number[] {
  const [mine] = ["I", "我"].map((owner) => metadataObject(row, "possessions")[owner]).filter((one) => one !== undefined);
  const items = (mine as Readonly<Record<string, unknown>> | undefined)?.[category];
  if (!Array.isArray(items) || !items.every((item) => Array.isArray(item) && Number.isSafeInteger(item[1]))) {
    throw metadataError(row, "possessions", `the first person's items of the category ${category}`);
  }
  return items.map((item) => item[1] as number);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

/** Returns the last sentence that ends in a question mark. */
function lastQuestion(text: string): string {
  const upTo = text.slice(0, Math.max(text.lastIndexOf("?"), text.lastIndexOf("？")));
  return upTo.slice(Math.max(...[..."\n:：.。"].map((mark) => upTo.lastIndexOf(mark))) + 1);
}

/** Computes the number that the question asks for. Returns undefined if its wording is unknown. */
function countAsked(row: Row): number | undefined {
  const asked = lastQuestion(row.question);
  const totals = CATEGORIES.filter(({ words }) => words.test(asked)).map(({ name }) => sum(countsOf(row, name)));
  const difference = /differ|差/.test(asked);
  if (totals.length === 0 || totals.length > 2 || (difference && totals.length === 1)) return undefined;
  return difference ? Math.abs(totals[0]! - totals[1]!) : sum(totals);
}

/** Returns the right number. This is the stored one if there is one, because the published generator counts correctly. */
function expectedNumber(row: Row): number {
  const expected = wholeNumber(String(row.answer)) ?? countAsked(row);
  if (expected === undefined) throw new InputError(`${row.task}: row: answer: expected a whole number, got ${JSON.stringify(row.answer)}`);
  return expected;
}

/** Count what the first person owns, among the possessions of many people. */
export const objectCounting: SynlogicTask<ObjectCounting> = {
  name: "object_counting",
  summary: "Count what the first person owns in one or two categories.",
  languages: ["en", "zh"],
  parameters: {
    min_count: { kind: "integer", least: 1, most: 1000, meaning: "smallest count" },
    max_count: { kind: "integer", least: 2, most: 1000, meaning: "largest count" },
    min_categories: { kind: "integer", least: 2, most: 7, meaning: "fewest categories" },
    max_categories: { kind: "integer", least: 2, most: 7, meaning: "most categories" },
    min_my_items_per_category: { kind: "integer", least: 1, most: 17, meaning: "fewest items of the first person in a category" },
    max_my_items_per_category: { kind: "integer", least: 1, most: 17, meaning: "most items of the first person in a category" },
    min_other_items: { kind: "integer", least: 0, most: 200, meaning: "fewest items of other people" },
    max_other_items: { kind: "integer", least: 0, most: 200, meaning: "most items of other people" },
  },
  levels: {
    tiny: parameters([1, 9], [2, 2], [1, 2], [2, 4]),
    easy: parameters([5, 100], [3, 7], [2, 6], [25, 40]),
    medium: parameters([30, 100], [4, 7], [4, 8], [25, 40]),
    hard: parameters([60, 100], [6, 7], [6, 10], [25, 40]),
  },
  attributes: ["min_my_items_per_category", "min_categories", "min_other_items", "max_count"],
  generate(random, parameters, language) {
    const draw = (least: keyof ObjectCounting, most: keyof ObjectCounting) => drawBetween(random, parameters, least, most);
    const categories = shuffle(random, CATEGORIES).slice(0, draw("min_categories", "max_categories"));
    const drawCount = () => draw("min_count", "max_count");
    const possessions = new Map(
      OWNERS[language].map((owner) => [owner, new Map(categories.map(({ name }) => [name, [] as Possession[]]))]),
    );
    const [me, ...others] = OWNERS[language] as [string, ...string[]];
    for (const { name, items } of categories) {
      for (const item of shuffle(random, items[language]).slice(0, draw("min_my_items_per_category", "max_my_items_per_category"))) {
        const count = drawCount();
        possessions
          .get(me)!
          .get(name)!
          .push([item, count, drawRemark(random, item, count, parameters, language)]);
      }
    }
    const foreign = categories.flatMap(({ name, items }) =>
      items[language].flatMap((item) => others.map((owner) => ({ name, item, owner }))),
    );
    for (const { name, item, owner } of shuffle(random, foreign).slice(0, draw("min_other_items", "max_other_items"))) {
      possessions.get(owner)!.get(name)!.push([item, drawCount(), ""]);
    }
    const sentences = [...possessions].flatMap(([owner, owned]) =>
      [...owned.values()].flat().map(([item, count, remark]) => sentence(owner, item, count, remark, language)),
    );
    // As in the published data, each of three kinds has the same share: the sum of two categories, their difference, and one category.
    const kind = randomInteger(random, 0, 2);
    const asked = query(shuffle(random, categories).slice(0, kind < 2 ? 2 : 1), kind === 1, language);
    const metadata = {
      possessions: Object.fromEntries([...possessions].map(([owner, owned]) => [owner, Object.fromEntries(owned)])),
      used_categories: categories.map(({ name }) => name),
      language,
    };
    const puzzle = { question: question(shuffle(random, sentences), asked, language), answer: "", metadata };
    return { ...puzzle, answer: String(countAsked({ task: "object_counting", ...puzzle })) };
  },
  solve(row) {
    return `\\boxed{${countAsked(row) ?? expectedNumber(row)}}`;
  },
  verify(row, text) {
    const expected = expectedNumber(row);
    const box = lastBoxedNumber(text);
    if (!box) return reject("there is no complete \\boxed{} after the reasoning");
    if (box.number === undefined) return reject("the box does not hold a whole number", box.found);
    return box.number === expected ? accept(box.found, "the count is right") : reject(`the count is not ${box.number}`, box.found);
  },
  guess(row, random) {
    const totals = metadataStrings(row, "used_categories").map((name) => sum(countsOf(row, name)));
    const [a, b] = [randomChoice(random, totals), randomChoice(random, totals)];
    return `\\boxed{${randomBoolean(random, 1 / 3) ? a : randomBoolean(random) ? a + b : Math.abs(a - b)}}`;
  },
  published: (row, response) => publishedBoxedNumber(response, String(row.answer)),
};

type Range = readonly [least: number, most: number];

function parameters(count: Range, categories: Range, mine: Range, others: Range): ObjectCounting {
  return {
    min_count: count[0],
    max_count: count[1],
    min_categories: categories[0],
    max_categories: categories[1],
    min_my_items_per_category: mine[0],
    max_my_items_per_category: mine[1],
    min_other_items: others[0],
    max_other_items: others[1],
  };
}

function drawBetween(random: Random, parameters: ObjectCounting, least: keyof ObjectCounting, most: keyof ObjectCounting): number {
  const [from, to] = [parameters[least], parameters[most]];
  if (from > to) throw new InputError(`object_counting: ${least}: expected at most ${most} (${to}), got ${from}`);
  return randomInteger(random, from, to);
}

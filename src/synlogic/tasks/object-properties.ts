import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataString, metadataValue } from "../metadata.js";
import { lastBoxedNumber, publishedBoxedNumber, wholeNumber } from "../reading/boxed-number.js";
import { accept, type Json, type Language, type Row, reject, undecided } from "../row.js";
import { THINGS } from "../vocabulary.js";
import {
  ATTRIBUTES,
  applyChange,
  CHANGE_KINDS,
  type Change,
  type Item,
  itemOf,
  type Problem,
  possibleCounts,
  type Values,
} from "./object-properties-changes.js";
import { publishedChanges, publishedQuery } from "./object-properties-published.js";
import { query, question, story, VALUES } from "./object-properties-text.js";

type ObjectProperties = {
  /** Minimum and maximum number of items at the start. */
  readonly num_range: readonly number[];
  /** Minimum and maximum number of changes. */
  readonly transformation_range: readonly number[];
  /** Number of values of each attribute. */
  readonly feature_num: number;
};

/** Share of the puzzles whose answer is "unknown". */
const UNKNOWN_SHARE = 0.1;
/** Maximum number of items after all changes. Some changes can double a collection; larger collections are discarded and drawn again. */
const MAX_ITEMS = 400;

type Pools = Readonly<Record<(typeof ATTRIBUTES)[number], readonly string[]>>;

function drawChange(random: Random, items: readonly Item[], pools: Pools): Change {
  // A change selects a value of an item in the collection, or any value if the collection is empty.
  const model = items.length > 0 ? randomChoice(random, items) : drawItem(random, pools);
  const fresh = (attribute: (typeof ATTRIBUTES)[number]) =>
    randomChoice(
      random,
      pools[attribute].filter((value) => value !== model[attribute]),
    );
  const { sizes, colors, countries, materials, smells } = model;
  const other: Values = {};
  // The published rows have ten kinds of changes.
  const kinds: (() => Change)[] = [
    () => ({ kind: "set", where: { sizes }, set: { materials: fresh("materials"), smells: fresh("smells") }, other }),
    () => ({ kind: "split", where: { sizes }, set: { sizes: fresh("sizes") }, other: { colors: fresh("colors") } }),
    () => ({ kind: "set", where: { materials }, set: { colors: fresh("colors"), smells: fresh("smells") }, other }),
    () => ({
      kind: "add",
      where: { colors },
      set: Object.fromEntries(ATTRIBUTES.map((attribute) => [attribute, fresh(attribute)])),
      other,
    }),
    () => ({ kind: "compare", where: {}, set: {}, other }),
    () => ({ kind: "lose", where: { sizes }, set: {}, other }),
    () => ({ kind: "set", where: { colors }, set: { materials: fresh("materials") }, other }),
    () => ({ kind: "trade", where: { countries }, set: { sizes: fresh("sizes"), materials: fresh("materials") }, other }),
    () => ({ kind: "add", where: { smells }, set: { colors: fresh("colors") }, other }),
    () => ({ kind: "set", where: { sizes }, set: { colors: fresh("colors") }, other }),
  ];
  return randomChoice(random, kinds)();
}

const drawItem = (random: Random, pools: Pools): Item =>
  Object.fromEntries(ATTRIBUTES.map((attribute) => [attribute, randomChoice(random, pools[attribute])])) as Item;

function countBy<Key>(keys: readonly Key[]): Map<Key, number> {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function drawProblem(random: Random, size: number, steps: number, featureCount: number, language: Language) {
  const pools = Object.fromEntries(
    ATTRIBUTES.map((attribute) => [attribute, shuffle(random, VALUES[language][attribute]).slice(0, featureCount)]),
  ) as unknown as Pools;
  const apart = randomChoice(random, ATTRIBUTES);
  const drawn = Array.from({ length: size }, () => ({ ...drawItem(random, pools), name: randomChoice(random, THINGS[language]) }));
  // As in the published rows, one sentence lists an attribute of all items and combines neighbours with the same value.
  const order = [...pools[apart]];
  const sorted = drawn.map((item) => item[apart]).sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const first = drawn.map((item, i) => ({ ...item, [apart]: sorted[i]! }));
  let items: Item[] = first;
  const changes: Change[] = [];
  const inventories: (Map<string, number> | undefined)[] = [];
  for (let step = 0; step < steps; step++) {
    const change = drawChange(random, items, pools);
    changes.push(change);
    items = items.flatMap((item) => applyChange(item, change, first, (known) => ({ ...item, ...drawItem(random, pools), ...known })));
    // After a trade, a list of the materials could reveal values that must stay unknown.
    const told = randomBoolean(random, 0.3) && changes.every(({ kind }) => kind !== "trade");
    inventories.push(told ? countBy(items.map(({ materials }) => materials)) : undefined);
  }
  const asked = Object.fromEntries(
    shuffle(random, ATTRIBUTES)
      .slice(0, randomInteger(random, 2, 5))
      .map((attribute) => [attribute, randomChoice(random, items.length > 0 ? items : first)[attribute]]),
  ) as Values;
  return { first, apart, changes, inventories, items, asked };
}

/** Returns the only possible count, or undefined if the answer is "unknown". */
function onlyCount(problem: Problem): number | undefined {
  const counts = [...possibleCounts(problem)];
  return counts.length === 1 ? counts[0] : undefined;
}

function itemsOf(row: Row, key: string): Item[] {
  const isList = (x: Json): x is readonly Json[] => Array.isArray(x) && x.every((item) => itemOf(item) !== undefined);
  return metadataValue(row, key, "a list of items with all attributes", isList).map((item) => itemOf(item)!);
}

/** Whether changes without a trade turn the first collection into the last one. */
function leadsTo({ first, changes }: Problem, last: readonly Item[]): boolean {
  const key = (items: readonly Item[]) => items.map((item) => ATTRIBUTES.map((attribute) => item[attribute]).join("|")).sort();
  let items = first;
  for (const change of changes) {
    items = items.flatMap((item) => applyChange(item, change, first, () => item));
    // A change can double the items.
    if (items.length > MAX_FOLLOWED_ITEMS) return false;
  }
  return key(items).join("\n") === key(last).join("\n");
}

/** Maximum number of changes that are read from metadata. */
const MAX_CHANGES = 200;
/** Maximum number of items of a collection that is followed through a story. */
const MAX_FOLLOWED_ITEMS = 100_000;

const isValues = (x: Json): x is Values => isObject(x) && Object.values(x).every((value) => typeof value === "string");
const isChanges = (x: Json): x is readonly (Change & { readonly [key: string]: Json })[] =>
  Array.isArray(x) &&
  x.length <= MAX_CHANGES &&
  x.every(
    (change) =>
      isObject(change) &&
      CHANGE_KINDS.includes(change.kind as Change["kind"]) &&
      [change.where, change.set, change.other].every((one) => isValues(one as Json)),
  );

/** Reads the problem of a row. Returns undefined if its story is not understood. */
function problemOf(row: Row): Problem | undefined {
  const [first, last] = [itemsOf(row, "initial_collection"), itemsOf(row, "final_collection")];
  if (row.metadata?.changes !== undefined) {
    const changes = metadataValue(row, "changes", "a list of changes", isChanges);
    return { first, changes, asked: metadataValue(row, "asked", "values of attributes", isValues) };
  }
  const changes = publishedChanges(metadataString(row, "story"), [...first, ...last]);
  const asked = publishedQuery(metadataString(row, "question"));
  const problem = changes && asked && { first, changes, asked };
  // Without a trade, the final collection is known. It shows whether all sentences were read correctly.
  return problem && (changes.some(({ kind }) => kind === "trade") || leadsTo(problem, last)) ? problem : undefined;
}

interface Truth {
  /** Returns all counts that the story allows. */
  readonly counts: ReadonlySet<number>;
  /** Whether the question says what to answer if several counts are possible. Published Chinese questions do not say it. */
  readonly unknownIsAsked: boolean;
}

function truthOf(row: Row): Truth {
  const problem = problemOf(row);
  // If the story is not understood, only the stored answer is known.
  const stored = wholeNumber(String(row.answer));
  const counts = problem ? possibleCounts(problem) : new Set(stored === undefined ? [] : [stored]);
  if (counts.size === 0) throw new InputError(`${row.task}: row: answer: expected a whole number, got ${JSON.stringify(row.answer)}`);
  return { counts, unknownIsAsked: /\bunknown\b/i.test(row.question) };
}

const answerOf = ({ counts, unknownIsAsked }: Truth, row: Row) =>
  counts.size === 1 ? String([...counts][0]) : unknownIsAsked ? "unknown" : String(row.answer);

/** Follow items with five attributes through a list of changes, and count some of them. */
export const objectProperties: SynlogicTask<ObjectProperties> = {
  name: "object_properties",
  summary: "Count the items with certain attributes after a list of changes.",
  languages: ["en", "zh"],
  parameters: {
    num_range: { kind: "list", of: "integer", meaning: "least and largest number of items at the start" },
    transformation_range: { kind: "list", of: "integer", meaning: "least and largest number of changes" },
    feature_num: { kind: "integer", least: 2, most: 8, meaning: "values of each attribute" },
  },
  levels: {
    tiny: { num_range: [4, 4], transformation_range: [1, 1], feature_num: 3 },
    easy: { num_range: [10, 10], transformation_range: [2, 2], feature_num: 7 },
    medium: { num_range: [20, 20], transformation_range: [4, 4], feature_num: 7 },
    hard: { num_range: [30, 30], transformation_range: [6, 6], feature_num: 7 },
  },
  attributes: ["transformation_range", "num_range", "feature_num"],
  generate(random, { num_range, transformation_range, feature_num }, language) {
    const size = drawFrom(random, num_range, "num_range", 100);
    const steps = drawFrom(random, transformation_range, "transformation_range", 12);
    const draw = () => drawProblem(random, size, steps, feature_num, language);
    const fits = ({ items }: ReturnType<typeof draw>) => items.length <= MAX_ITEMS;
    // A puzzle without a trade always has an answer, so a few draws can fail to give an unknown count.
    let made = drawUntil(draw, fits);
    if (randomBoolean(random, UNKNOWN_SHARE))
      for (let tries = 0; tries < 40 && onlyCount(made) !== undefined; tries++) made = drawUntil(draw, fits);
    else made = drawUntil(draw, (one) => fits(one) && onlyCount(one) !== undefined);
    const { first, apart, changes, inventories, items, asked } = made;
    const told = story({ items: first, apart, changes, inventories }, language);
    const answer = String(onlyCount(made) ?? "unknown");
    const metadata = {
      story: told,
      question: query(asked, language),
      answer,
      initial_collection: first,
      final_collection: items,
      language: language === "zh" ? "chinese" : "english",
      changes,
      asked,
    };
    // The types of the metadata have optional keys, which are omitted in JSON.
    return { question: question(told, metadata.question, language), answer, metadata: metadata as unknown as Row["metadata"] };
  },
  solve(row) {
    return `\\boxed{${answerOf(truthOf(row), row)}}`;
  },
  verify(row, text) {
    const { counts, unknownIsAsked } = truthOf(row);
    const box = lastBoxedNumber(text);
    if (!box) return reject("there is no complete \\boxed{} after the reasoning");
    const { found, number } = box;
    const unknown = /^unknown$/i.test(found);
    if (number === undefined && !unknown) return reject("the box holds neither a whole number nor unknown", found);
    if (counts.size === 1)
      return number !== undefined && counts.has(number) ? accept(found, "the count is right") : reject(wrongCount(number), found);
    if (unknownIsAsked) {
      return unknown
        ? accept(found, "the count cannot be determined")
        : reject("the count depends on attributes that are not stated", found);
    }
    if (!unknown && !counts.has(number!)) return reject("the story does not allow this count", found);
    return undecided("the count depends on attributes that are not stated, and the question does not speak of that", found);
  },
  guess(row, random) {
    return `\\boxed{${randomInteger(random, 0, itemsOf(row, "initial_collection").length)}}`;
  },
  published: (row, response) => publishedBoxedNumber(response, String(row.answer)),
};

const wrongCount = (number: number | undefined) => (number === undefined ? "the count can be determined" : `the count is not ${number}`);

function drawFrom(random: Random, range: readonly number[], name: string, most: number): number {
  const [from, to] = range;
  if (range.length !== 2 || from! < 1 || from! > to! || to! > most) {
    throw new InputError(`object_properties: ${name}: expected two integers from 1 to ${most} in order, got [${range.join(", ")}]`);
  }
  return randomInteger(random, from!, to!);
}

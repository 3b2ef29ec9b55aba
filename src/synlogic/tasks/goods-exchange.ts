import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, randomChoice, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataObject, metadataStrings } from "../metadata.js";
import { codeBlocks, lastCodeBlock } from "../reading/final-text.js";
import { itemsOf, type Literal, parseLiteral, stringOf } from "../reading/literal.js";
import { accept, type Language, type PublishedVerdict, type Row, reject, undecided } from "../row.js";
import { COLOURS, PEOPLE, THINGS } from "../vocabulary.js";
import { EXCHANGES, IDLE, IDLE_WORDS, question, RING } from "./goods-exchange-text.js";

type GoodsExchange = {
  readonly num_people: number;
  /** Number of events. */
  readonly operator_num: number;
};

/** The item that each person owns. */
type Owners = ReadonlyMap<string, string>;

/**
 * Probabilities of an exchange and of a ring of three people; all other events have no effect. They follow the twelve published kinds of
 * events.
 */
const [EXCHANGE_SHARE, RING_SHARE] = [8 / 12, 1 / 12];

const holderOf = (owners: Owners, item: string) => [...owners].find(([, owned]) => owned === item)![0];

/** Passes the item of each party on to the next party, and that of the last party to the first. With two parties, this is an exchange. */
function passOn(owners: Owners, parties: readonly string[]): Owners {
  const after = new Map(owners);
  for (const [i, party] of parties.entries()) after.set(parties[(i + 1) % parties.length]!, owners.get(party)!);
  return after;
}

/** Draws an event: its sentence, and the parties that pass on their items. */
function drawEvent(random: Random, owners: Owners, language: Language): { text: string; parties: readonly string[] } {
  const [a, b, c] = shuffle(random, owners.keys()) as [string, string, string | undefined];
  const share = random.next();
  const ring = c !== undefined && share >= EXCHANGE_SHARE && share < EXCHANGE_SHARE + RING_SHARE;
  const write = ring ? RING[language] : randomChoice(random, share < EXCHANGE_SHARE ? EXCHANGES[language] : IDLE[language]);
  const parties = ring ? [a, b, c] : share < EXCHANGE_SHARE ? [a, b] : [];
  return { text: write(a, owners.get(a)!, b, owners.get(b)!, c ?? a), parties };
}

/** Draws different items that share colours and things. */
function drawItems(random: Random, count: number, language: Language): string[] {
  const side = Math.ceil(Math.sqrt(count)) + 1;
  const colours = shuffle(random, COLOURS[language]).slice(0, side);
  const things = shuffle(random, THINGS[language]).slice(0, side);
  const items = colours.flatMap((colour) => things.map((thing) => (language === "zh" ? colour + thing : `${colour} ${thing}`)));
  return shuffle(random, items).slice(0, count);
}

function drawGame(random: Random, { num_people, operator_num }: GoodsExchange, language: Language) {
  const names = shuffle(random, PEOPLE[language]).slice(0, num_people);
  const objects = drawItems(random, num_people, language);
  const before: Owners = new Map(names.map((name, i) => [name, objects[i]!]));
  let after = before;
  const operations = Array.from({ length: operator_num }, () => {
    const { text, parties } = drawEvent(random, after, language);
    after = passOn(after, parties);
    return text;
  });
  return { names, objects: shuffle(random, objects), before, operations, after };
}

/** Returns the names and items that a sentence mentions, in order. If several begin at the same place, the longest one counts. */
function mentions(sentence: string, known: readonly string[]): string[] {
  const longestFirst = [...known].sort((a, b) => b.length - a.length);
  const found: string[] = [];
  const isLetter = (char: string | undefined) => char !== undefined && /[A-Za-z]/.test(char);
  for (let at = 0; at < sentence.length; at++) {
    const word = longestFirst.find(
      (one) =>
        sentence.startsWith(one, at) &&
        // A name that is part of a longer word does not count.
        !(isLetter(one[0]) && isLetter(sentence[at - 1])) &&
        !(isLetter(one.at(-1)) && isLetter(sentence[at + one.length])),
    );
    if (word === undefined) continue;
    found.push(word);
    at += word.length - 1;
  }
  return found;
}

function ownersBefore(row: Row): Owners {
  const before = Object.entries(metadataObject(row, "owns_before"));
  if (before.length === 0 || !before.every(([name, item]) => name !== "" && typeof item === "string" && item !== "")) {
    throw metadataError(row, "owns_before", "the item of each person");
  }
  return new Map(before as [string, string][]);
}

/** Applies the events to the initial owners. An event mentions its parties by name or by the item that they own. */
function ownersAfter(row: Row): Owners {
  let owners = ownersBefore(row);
  const known = [...owners].flat();
  for (const operation of metadataStrings(row, "operations")) {
    if (IDLE_WORDS.test(operation)) continue;
    const parties = mentions(operation, known).map((word) => (owners.has(word) ? word : holderOf(owners, word)));
    owners = passOn(owners, [...new Set(parties)]);
  }
  return owners;
}

const quote = (text: string) => (text.includes("'") ? JSON.stringify(text) : `'${text}'`);
const write = (owners: Owners) => `(${[...owners].map(([name, item]) => `(${quote(name)},${quote(item)})`).join(",")})`;
const wrap = (tuple: string) => `\`\`\`python\n${tuple}\n\`\`\``;

/** Returns the two strings of a pair. Returns undefined for any other literal. */
function pairOf(literal: Literal): readonly [string, string] | undefined {
  if (literal.kind !== "tuple" || literal.items.length !== 2) return undefined;
  const [name, item] = literal.items.map(stringOf);
  return name === undefined || item === undefined ? undefined : [name.trim(), item.trim()];
}

/** Describes the rule that a list of pairs breaks. Returns undefined if all pairs are right. */
function brokenRule(pairs: readonly (readonly [string, string] | undefined)[], expected: Owners): string | undefined {
  const seen = new Set<string>();
  for (const [i, pair] of pairs.entries()) {
    if (!pair) return `entry ${i + 1} is not a pair of two strings`;
    const [name, item] = pair;
    if (!expected.has(name)) return `entry ${i + 1} names ${name}, who does not take part`;
    if (seen.has(name)) return `${name} is named twice`;
    seen.add(name);
    if (expected.get(name) !== item) return `${name} does not own the ${item}`;
  }
  const missing = [...expected.keys()].find((name) => !seen.has(name));
  return missing && `${missing} is missing`;
}

const upperCased = (owners: Owners): Owners => new Map([...owners].map(([name, item]) => [name.toUpperCase(), item.toUpperCase()]));

/** Follow events in which people exchange their items, and list the final owners. */
export const goodsExchange: SynlogicTask<GoodsExchange> = {
  name: "goods_exchange",
  summary: "Say who owns which item after a list of exchanges.",
  languages: ["en", "zh"],
  parameters: {
    num_people: { kind: "integer", least: 2, most: 40, meaning: "people, each with one item" },
    operator_num: { kind: "integer", least: 1, most: 200, meaning: "events" },
  },
  levels: {
    tiny: { num_people: 4, operator_num: 2 },
    easy: { num_people: 20, operator_num: 10 },
    medium: { num_people: 24, operator_num: 40 },
    hard: { num_people: 30, operator_num: 100 },
  },
  attributes: ["operator_num", "num_people"],
  generate(random, parameters, language) {
    const draw = () => drawGame(random, parameters, language);
    // With a single event that has no effect, there would be nothing to do.
    const changed = drawUntil(draw, ({ before, after }) => parameters.operator_num < 2 || write(before) !== write(after));
    const { names, objects, before, operations, after } = changed;
    const metadata = {
      ...parameters,
      names,
      objects,
      owns_before: Object.fromEntries(before),
      operations,
      owns_after: write(after),
      is_chinese: language === "zh",
    };
    return { question: question(before, operations, language), answer: write(after), metadata };
  },
  solve(row) {
    return wrap(write(ownersAfter(row)));
  },
  verify(row, text) {
    const stored = itemsOf(parseLiteral(String(row.answer)), "list or tuple")?.map(pairOf);
    const expected = stored?.every((pair) => pair !== undefined) && stored.length > 0 ? new Map(stored) : ownersAfter(row);
    const block = lastCodeBlock(text);
    if (block === undefined) return reject("there is no Python code block after the reasoning");
    const value = block.replace(/^\s*[A-Za-z_][A-Za-z0-9_]*\s*=(?!=)/, "");
    const found = block.trim();
    const literal = parseLiteral(value);
    if (literal?.kind !== "tuple") return reject("the last code block does not hold a tuple", found);
    const pairs = literal.items.map(pairOf);
    const broken = brokenRule(pairs, expected);
    if (broken !== undefined) {
      const upper = pairs.map((pair) => pair && ([pair[0].toUpperCase(), pair[1].toUpperCase()] as const));
      if (brokenRule(upper, upperCased(expected)) === undefined) return undecided("only the case of letters differs", found);
      return reject(broken, found);
    }
    return value === block ? accept(found) : undecided("the tuple is assigned to a variable", found);
  },
  guess(row, random) {
    const owners = ownersBefore(row);
    const [a, b] = shuffle(random, owners.keys());
    return wrap(write(passOn(owners, randomBoolean(random) ? [a!, b!] : [])));
  },
  published: (row, response) => publishedVerdict(row, response),
};

/**
 * Emulates the published verifier. It evaluates the last block with the tag "python", anywhere in the message, and ignores entries that are
 * not pairs.
 */
function publishedVerdict(row: Row, response: string): PublishedVerdict {
  const block = codeBlocks(response)
    .filter(({ language }) => language === "python")
    .at(-1)
    ?.content.trim();
  if (block === undefined || !block.startsWith("(")) return false;
  const literal = parseLiteral(block);
  if (literal && literal.kind !== "tuple") return false;
  let pairs = literal?.items.map(pairOf);
  if (!pairs) {
    const unquoted = [...block.matchAll(/\(\s*([^(),'"]{1,60}),([^(),'"]{1,60})\)/g)].map(
      ([, name, item]) => [name!, item!.trim()] as const,
    );
    if (unquoted.length === 0) return /[A-Za-z0-9]/.test(block) ? "evaluates" : false;
    pairs = unquoted;
  }
  const given = new Map(pairs.filter((pair) => pair !== undefined));
  return brokenRule([...upperCased(given)], upperCased(ownersAfter(row))) === undefined;
}

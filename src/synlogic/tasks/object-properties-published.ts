// Reads the stories of the published rows, because their metadata does not contain the changes.

import { ATTRIBUTES, type Attribute, type Change, type Item, type Values } from "./object-properties-changes.js";

type Kind = Change["kind"];

/** Patterns of English changes, with their kind and the attributes of their groups. The first attribute selects the items that change. */
const ENGLISH: readonly (readonly [RegExp, Kind, readonly Attribute[]])[] = [
  [
    /^for each item of size (.+) in my (?:new )?collection, .+ made of \S+ favorite material (.+) and with a smell of (.+) \(all other/,
    "set",
    ["sizes", "materials", "smells"],
  ],
  [
    /replaced any item of size (.+) in my (?:new )?collection with an exact copy but with size (.+) and another exact copy but with color (.+?)\./,
    "split",
    ["sizes", "sizes", "colors"],
  ],
  [
    /^for any item made of (.+) in my (?:new )?collection, .+ changed their color to (.+) and changed their smell to (.+?)\./,
    "set",
    ["materials", "colors", "smells"],
  ],
  [
    /^for any item of color (.+) in my (?:new )?collection, .+, but with color (.+), (.+) origin, (.+) size, (.+) smell, and made of (.+?)\./,
    "add",
    ["colors", "colors", "countries", "sizes", "smells", "materials"],
  ],
  [/compared my (?:new )?collection with my initial collection/, "compare", []],
  [/^I lost all of the (.+) items in my collection/, "lose", ["sizes"]],
  [/picked all (.+) items? and changed (?:its|their) materials? to (.+?)\./, "set", ["colors", "materials"]],
  [
    /traded me all items of (.+) origin for the same number of items with (.+) size and (.+) material/,
    "trade",
    ["countries", "sizes", "materials"],
  ],
  [/^for every item with (.+) smell, I decided to add a twin item but with (.+) color instead/, "add", ["smells", "colors"]],
  [/spilled paint on all my (.+) items, changing their colors to (.+?)\./, "set", ["sizes", "colors"]],
];

/** Chinese changes are recognized by the attributes that they mention, which differ for each kind. */
const CHINESE: readonly (readonly [Kind, readonly Attribute[]])[] = [
  ["set", ["sizes", "materials", "smells"]],
  ["split", ["sizes", "sizes", "colors"]],
  ["set", ["materials", "colors", "smells"]],
  ["add", ["colors", "colors", "countries", "sizes", "smells", "materials"]],
  ["compare", []],
  ["lose", ["sizes"]],
  ["set", ["colors", "materials"]],
  ["trade", ["countries", "sizes", "materials"]],
  ["add", ["smells", "colors"]],
  ["set", ["sizes", "colors"]],
];

function changeOf(kind: Kind, mentioned: readonly (readonly [Attribute, string])[]): Change {
  const [where, ...values] = mentioned.map(([attribute, value]): Values => ({ [attribute]: value }));
  const merge = (parts: readonly Values[]): Values => Object.assign({}, ...parts);
  const split = kind === "split";
  return { kind, where: where ?? {}, set: merge(split ? values.slice(0, 1) : values), other: merge(split ? values.slice(1) : []) };
}

function englishChange(sentence: string): Change | undefined {
  for (const [pattern, kind, attributes] of ENGLISH) {
    const groups = pattern.exec(sentence)?.slice(1);
    if (groups)
      return changeOf(
        kind,
        groups.map((value, i) => [attributes[i]!, value] as const),
      );
  }
  return undefined;
}

/**
 * Returns the attribute to which a value at some place in the text belongs. Returns undefined if the text at this place is not a value.
 *
 * Sizes and values of one character can be parts of other words, and some words name a material as well as a smell. In these cases, the
 * words around the value decide.
 */
function attributeAt(value: string, before: string, after: string, values: ReadonlyMap<Attribute, ReadonlySet<string>>) {
  const fitting = ATTRIBUTES.filter((attribute) => values.get(attribute)!.has(value));
  const named = (words: string) => new RegExp(`(?:${words})[^，。]{0,3}$`).test(before) || new RegExp(`^的?(?:${words})`).test(after);
  if (fitting.includes("sizes")) return named("尺寸|大小") ? "sizes" : undefined;
  if (fitting.length > 1) return named("由|材质|材料|制成") ? "materials" : "smells";
  return value.length > 1 || named("由|材质|材料|制成|颜色|气味|产地") ? fitting[0] : undefined;
}

function chineseChange(sentence: string, values: ReadonlyMap<Attribute, ReadonlySet<string>>): Change | undefined {
  const longestFirst = [...values.values()].flatMap((set) => [...set]).sort((a, b) => b.length - a.length);
  const mentioned: (readonly [Attribute, string])[] = [];
  for (let at = 0; at < sentence.length; at++) {
    const value = longestFirst.find((one) => sentence.startsWith(one, at));
    if (value === undefined) continue;
    const attribute = attributeAt(value, sentence.slice(0, at), sentence.slice(at + value.length), values);
    if (attribute) mentioned.push([attribute, value]);
    at += value.length - 1;
  }
  const signature = (attributes: readonly Attribute[]) => [attributes[0], ...attributes.slice(1).toSorted()].join();
  const given = signature(mentioned.map(([attribute]) => attribute));
  const kind = CHINESE.find(([, attributes]) => signature(attributes) === given)?.[0];
  const sizesFirst = kind === "split" ? mentioned.toSorted(([a], [b]) => Number(a === "colors") - Number(b === "colors")) : mentioned;
  return kind && changeOf(kind, sizesFirst);
}

/** Reads the changes of a published story. Returns undefined if a sentence is not understood. @param items all items of the metadata */
export function publishedChanges(story: string, items: readonly Item[]): Change[] | undefined {
  const chinese = /然后，/.test(story);
  const values = new Map(ATTRIBUTES.map((attribute) => [attribute, new Set(items.map((item) => item[attribute]))]));
  const sentences = story
    .split(chinese ? /然后，/ : /\bThen, /)
    .slice(1)
    // A list of the materials may follow a change.
    .map((sentence) => sentence.split(/After this, |在此之后|此后|之后，我的收藏/)[0]!);
  const changes = sentences.map((sentence) => (chinese ? chineseChange(sentence, values) : englishChange(sentence)));
  return changes.every((change) => change !== undefined) ? changes : undefined;
}

const ASKED: Readonly<Record<string, Attribute>> = {
  size: "sizes",
  color: "colors",
  origin: "countries",
  material: "materials",
  smell: "smells",
  尺寸: "sizes",
  颜色: "colors",
  产地: "countries",
  来源: "countries",
  原产地: "countries",
  来源地: "countries",
  材质: "materials",
  气味: "smells",
};

/** Reads the values that the question asks for. Returns undefined if its wording is unknown. */
export function publishedQuery(question: string): Values | undefined {
  const list = /(?:either|：)(.*?)[?？]/s.exec(question)?.[1];
  const pairs = list?.split(/ or |或者?/).map((part) => /^\s*(?:either )?(\S+?)(?: is |是|为)(.+?)\s*$/.exec(part)?.slice(1));
  if (!pairs?.every((pair) => pair !== undefined && ASKED[pair[0]!] !== undefined)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [ASKED[pair![0]!]!, pair![1]!]));
}

import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { drawUntil, randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataString, metadataValue } from "../metadata.js";
import { unquoted } from "../reading/bare.js";
import { boxes, lastBox, plainText } from "../reading/final-text.js";
import { accept, type Json, type Language, type Row, reject, undecided } from "../row.js";
import { COLOURS, THINGS } from "../vocabulary.js";

type SpaceReasoningTree = {
  readonly min_num_nodes: number;
  readonly max_num_nodes: number;
};

/** The children of each node that has any. */
type Children = ReadonlyMap<string, readonly string[]>;

/** For each level, the range of the number of children of a node, and the probability that a node has children at all. */
const BRANCHING = [
  { least: 3, most: 6, probability: 1 },
  { least: 2, most: 5, probability: 1 },
  { least: 1, most: 4, probability: 0.75 },
  { least: 1, most: 3, probability: 0.6 },
] as const;

/** Draws different names. Up to the number of known things, a name is only a thing; beyond that, all names also have a color. */
function drawNames(random: Random, count: number, language: Language): string[] {
  const things = THINGS[language];
  if (count <= things.length) return shuffle(random, things).slice(0, count);
  const names = COLOURS[language].flatMap((color) => things.map((thing) => (language === "zh" ? color + thing : `${color} ${thing}`)));
  return shuffle(random, names).slice(0, count);
}

/** Draws a tree level by level. The remaining nodes become children of random nodes below the children of the root. */
function drawTree(random: Random, names: readonly string[]): Children {
  const left = names.slice(1);
  const children = new Map<string, string[]>();
  const levels: string[][] = [[names[0]!]];
  const hang = (parent: string, level: number) => {
    const child = left.pop()!;
    children.set(parent, [...(children.get(parent) ?? []), child]);
    levels[level] = [...(levels[level] ?? []), child];
  };
  for (const [level, { least, most, probability }] of BRANCHING.entries()) {
    for (const parent of levels[level] ?? []) {
      if (!randomBoolean(random, probability)) continue;
      for (let count = Math.min(left.length, randomInteger(random, least, most)); count > 0; count--) hang(parent, level + 1);
    }
  }
  while (left.length > 0) {
    const level = randomChoice(
      random,
      [2, 3, 4].filter((one) => levels[one]?.length),
    );
    hang(randomChoice(random, levels[level]!), level + 1);
  }
  return children;
}

const childrenOf = (tree: Children, node: string) => tree.get(node) ?? [];
const grandchildrenOf = (tree: Children, node: string) => childrenOf(tree, node).flatMap((child) => childrenOf(tree, child));
const parentOf = (tree: Children, node: string) => [...tree].find(([, children]) => children.includes(node))?.[0];

/** Returns the nodes with the same grandparent but another parent, in alphabetical order. */
function cousinsOf(tree: Children, node: string): string[] {
  const parent = parentOf(tree, node);
  const grandparent = parent === undefined ? undefined : parentOf(tree, parent);
  if (parent === undefined || grandparent === undefined) return [];
  const siblings = childrenOf(tree, parent);
  return grandchildrenOf(tree, grandparent)
    .filter((one) => !siblings.includes(one))
    .sort();
}

function listed(names: readonly string[], language: Language): string {
  if (language === "zh") return names.join("、");
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Sentences about nodes. The list in a sentence is always complete. */
const FACTS = {
  en: {
    children: (node: string, list: readonly string[]) => `The children of ${node}: ${listed(list, "en")}.`,
    grandchildren: (node: string, list: readonly string[]) => `The grandchildren of ${node}: ${listed(list, "en")}.`,
    siblings: (node: string, list: readonly string[]) => `The siblings of ${node}: ${listed(list, "en")}.`,
    noChildren: (node: string) => `${node} has no children.`,
    noGrandchildren: (node: string) => `${node} has no grandchildren.`,
  },
  zh: {
    children: (node: string, list: readonly string[]) => `${node}的孩子是${listed(list, "zh")}。`,
    grandchildren: (node: string, list: readonly string[]) => `${node}的孙辈是${listed(list, "zh")}。`,
    siblings: (node: string, list: readonly string[]) => `${node}的兄弟节点是${listed(list, "zh")}。`,
    noChildren: (node: string) => `${node}没有孩子。`,
    noGrandchildren: (node: string) => `${node}没有孙辈。`,
  },
} as const;

const childrenFact = (tree: Children, node: string, language: Language) => {
  const children = childrenOf(tree, node);
  return children.length > 0 ? FACTS[language].children(node, children) : FACTS[language].noChildren(node);
};

/** Draws facts from which the cousins of a node follow, in one of the two published ways. */
function drawNeededFacts(random: Random, tree: Children, node: string, language: Language): string[] {
  const parent = parentOf(tree, node)!;
  const grandparent = parentOf(tree, parent)!;
  if (randomBoolean(random)) {
    return [
      FACTS[language].grandchildren(grandparent, shuffle(random, grandchildrenOf(tree, grandparent))),
      childrenFact(tree, parent, language),
    ];
  }
  return [grandparent, ...childrenOf(tree, grandparent)].map((one) => childrenFact(tree, one, language));
}

/** Draws a fact about a random node. It may be irrelevant to the question. */
function drawFact(random: Random, tree: Children, node: string, language: Language): string {
  const facts = FACTS[language];
  const parent = parentOf(tree, node);
  const siblings = parent === undefined ? [] : childrenOf(tree, parent).filter((one) => one !== node);
  if (siblings.length > 0 && randomBoolean(random, 0.4)) return facts.siblings(node, shuffle(random, siblings));
  const grandchildren = grandchildrenOf(tree, node);
  if (randomBoolean(random)) return childrenFact(tree, node, language);
  return grandchildren.length > 0 ? facts.grandchildren(node, shuffle(random, grandchildren)) : facts.noGrandchildren(node);
}

function question(size: number, facts: readonly string[], target: string, language: Language): string {
  if (language === "zh") {
    return `一棵有根的树共有 ${size} 个节点，每个节点以一件物品命名。下面是其中一些节点的信息，每个列表都是完整的：

${facts.join("")}

堂亲节点是指祖父节点相同而父节点不同的节点。${target}的所有堂亲节点是哪些？请把它们的名称放在 \\boxed{} 中，用逗号分隔，每个只写一次，次序不限。`;
  }
  return `A rooted tree has ${size} nodes. Each node is named after an item. Here are some facts about it; all lists in them are complete:

${facts.join(" ")}

Cousins are nodes that have the same grandparent but different parents. Which nodes are the cousins of ${target}? Put the names of all these cousins into \\boxed{}, in alphabetical order and separated by commas, each name once.`;
}

/** Returns the right names. Rows of this generator contain the tree. The published rows do not, but their stored answers are right. */
function expectedNames(row: Row): string[] {
  if (row.metadata?.tree !== undefined) {
    const isTree = (x: Json): x is { readonly [key: string]: readonly string[] } =>
      isObject(x) && Object.values(x).every((one) => Array.isArray(one) && one.every((child) => typeof child === "string"));
    const tree = metadataValue(row, "tree", "an object of lists of names", isTree);
    return cousinsOf(new Map(Object.entries(tree)), metadataString(row, "target"));
  }
  const names = typeof row.answer === "string" ? splitNames(row.answer) : [];
  if (names.length === 0) throw new InputError(`${row.task}: row: answer: expected names, got ${JSON.stringify(row.answer)}`);
  return names;
}

/** Splits a list at commas. Several blanks within a name count as one. */
function splitNames(list: string): string[] {
  return list
    .split(/[,，、]/)
    .map((name) => unquoted(plainText(name)).replace(/\s+/g, " "))
    .filter((name, i, names) => name !== "" || i < names.length - 1);
}

const isSorted = (names: readonly string[]) => names.every((name, i) => i === 0 || names[i - 1]! <= name);

/** Find the cousins of a node in a family tree. */
export const spaceReasoningTree: SynlogicTask<SpaceReasoningTree> = {
  name: "space_reasoning_tree",
  summary: "Name all cousins of a node in a tree.",
  languages: ["en", "zh"],
  parameters: {
    min_num_nodes: { kind: "integer", least: 10, most: 1000, meaning: "fewest nodes" },
    max_num_nodes: { kind: "integer", least: 10, most: 1000, meaning: "most nodes" },
  },
  levels: {
    tiny: { min_num_nodes: 10, max_num_nodes: 14 },
    easy: { min_num_nodes: 50, max_num_nodes: 100 },
    medium: { min_num_nodes: 100, max_num_nodes: 150 },
    hard: { min_num_nodes: 200, max_num_nodes: 300 },
  },
  attributes: ["max_num_nodes", "min_num_nodes"],
  generate(random, { min_num_nodes, max_num_nodes }, language) {
    if (min_num_nodes > max_num_nodes) {
      throw new InputError(`space_reasoning_tree: min_num_nodes: expected at most max_num_nodes (${max_num_nodes}), got ${min_num_nodes}`);
    }
    const size = randomInteger(random, min_num_nodes, max_num_nodes);
    const names = drawNames(random, size, language);
    const draw = () => {
      const drawn = drawTree(random, names);
      return { tree: drawn, targets: names.filter((name) => cousinsOf(drawn, name).length > 0) };
    };
    // In a small tree, a single child of the root can have all grandchildren.
    const { tree, targets } = drawUntil(draw, (one) => one.targets.length > 0);
    const target = randomChoice(random, targets);
    const needed = drawNeededFacts(random, tree, target, language);
    const others = shuffle(random, names)
      .slice(0, randomInteger(random, Math.ceil(size / 3), Math.floor(size / 2)))
      .map((name) => drawFact(random, tree, name, language));
    const facts = shuffle(random, new Set([...needed, ...others]));
    return {
      question: question(size, facts, target, language),
      answer: cousinsOf(tree, target).join(", "),
      metadata: { language: language === "zh" ? "cn" : "en", min_num_nodes, max_num_nodes, tree: Object.fromEntries(tree), target },
    };
  },
  solve(row) {
    return `\\boxed{${expectedNames(row).join(", ")}}`;
  },
  verify(row, text) {
    const expected = expectedNames(row);
    const found = lastBox(text);
    if (found === undefined) return reject("there is no complete \\boxed{} after the reasoning");
    const given = splitNames(found);
    const repeated = given.find((name, i) => given.indexOf(name) !== i);
    if (repeated !== undefined) return reject(`${repeated} is named twice`, found);
    const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
    const wrong = given.find((name) => !lower(expected).includes(name.toLowerCase()));
    if (wrong !== undefined) return reject(`${wrong} is not a cousin`, found);
    if (given.length < expected.length) return reject(`${given.length} of ${expected.length} cousins are named`, found);
    // Both orders of upper-case and lower-case letters are in use. Chinese names have no alphabetical order.
    const ordered = isSorted(given) || isSorted(lower(given)) || given.join() === expected.join();
    const orderIsAsked = row.metadata?.language === "en" || row.question.includes("顺序排列");
    if (!ordered && row.metadata?.language === "en") return reject("the names are not in alphabetical order", found);
    if (!ordered && orderIsAsked) return undecided("Chinese names have no alphabetical order", found);
    if (given.some((name) => !expected.includes(name))) return undecided("only the case of letters differs", found);
    return accept(found, "these are the cousins");
  },
  guess(row, random) {
    const tree = row.metadata?.tree;
    const names = isObject(tree) ? (Object.values(tree).flat() as string[]) : ["unknown"];
    const some = shuffle(random, names)
      .slice(0, randomInteger(random, 1, 6))
      .sort();
    return `\\boxed{${some.join(", ")}}`;
  },
  published(row, response) {
    const names = (list: string) => [...new Set(list.replace(/\s/g, "").split(","))].sort().join();
    return names(boxes(response).at(-1) ?? "") === names(String(row.answer));
  },
};

import type { Language } from "../row.js";

/** Writes the sentence of an event. a, b and c are people. x and y are the items that a and b have before the event. */
export type EventText = (a: string, x: string, b: string, y: string, c: string) => string;

/** Sentences of events in which a and b exchange their items. */
export const EXCHANGES: Readonly<Record<Language, readonly EventText[]>> = {
  en: [
    (a, _, b) => `${a} and ${b} trade items with each other`,
    (_, x, __, y) => `The owner of the ${x} and the owner of the ${y} trade items with each other`,
    (_, x, b) => `Whoever has the ${x} trades items with ${b}`,
    (a, x, _, y) => `${a} trades the ${x} for the ${y}`,
    (a, x, b, y) => `${a} hands the ${x} to ${b}, and ${b} hands the ${y} to ${a}`,
    (a, x, b, y) => `${a} trades the ${x} for ${b}'s ${y}`,
    (_, x, __, y) => `The ${x} and the ${y} change owners: each goes to the other's owner`,
    (a, _, b) => `${a} proposes a trade of items to ${b}, and ${b} agrees`,
  ],
  zh: [
    (a, _, b) => `${a}和${b}互换了物品`,
    (_, x, __, y) => `${x}的主人与${y}的主人互换了物品`,
    (_, x, b) => `持有${x}的人与${b}互换了物品`,
    (a, x, _, y) => `${a}用${x}换来了${y}`,
    (a, x, b, y) => `${a}把${x}给了${b}，${b}把${y}给了${a}`,
    (a, x, b, y) => `${a}用${x}换来了${b}的${y}`,
    (_, x, __, y) => `${x}与${y}互换了主人`,
    (a, _, b) => `${a}向${b}提出互换物品，${b}同意了`,
  ],
};

/** Sentence of the event in which a gives an item to b, b gives one to c, and c gives one to a. */
export const RING: Readonly<Record<Language, EventText>> = {
  en: (a, _, b, __, c) =>
    `At the same moment ${a} passes their item to ${b}, ${b} passes their item to ${c}, and ${c} passes their item to ${a}`,
  zh: (a, _, b, __, c) => `在同一时刻，${a}把自己的物品给了${b}，${b}把自己的物品给了${c}，${c}把自己的物品给了${a}`,
};

/** Sentences of events without effect. */
export const IDLE: Readonly<Record<Language, readonly EventText[]>> = {
  en: [
    (a, _, b) => `${a} offers ${b} a trade, but ${b} declines`,
    (a, _, __, y) => `${a} likes the ${y} very much`,
    (a, _, __, y) => `${a} looks for the ${y} and does not find it`,
  ],
  zh: [(a, _, b) => `${a}想和${b}交换，但${b}拒绝了`, (a, _, __, y) => `${a}非常喜欢${y}`, (a, _, __, y) => `${a}四处寻找${y}，但没有找到`],
};

/** Words that mark an event without effect. They also cover the published rows. */
export const IDLE_WORDS = /\b(?:refus|declin|lik(?:e|es|ed|ing)\b|look|search|find|found)|拒绝|喜欢|找/;

export function question(owners: ReadonlyMap<string, string>, events: readonly string[], language: Language): string {
  const names = [...owners.keys()];
  const list = events.map((event, i) => `${i + 1}. ${event}${language === "zh" ? "。" : "."}`).join("\n");
  if (language === "zh") {
    return `有 ${names.length} 个人：${names.join("、")}。每人拥有一件物品，没有两件物品相同。开始时：
${[...owners].map(([name, item]) => `${name}拥有${item}。`).join("\n")}

接着依次发生了下面 ${events.length} 件事，其中有些并没有使物品易主：
${list}

最后每个人各拥有什么物品？请在回答的最后用 Python 的 markdown 代码块给出一个元组，每个人对应其中一个（人名，物品）二元组，先后顺序不限。名称须与题目完全一致，例如：
\`\`\`python
(('张三','红色书'),('李四','蓝色鼓'))
\`\`\``;
  }
  return `There are ${names.length} people: ${names.join(", ")}. Each of them owns one item, and no two items are the same. At the start:
${[...owners].map(([name, item]) => `${name} owns the ${item}.`).join("\n")}

Then the following ${events.length} events happen, one after the other. Some of them do not change who owns what:
${list}

Which item does each person own at the end? End your answer with a Python markdown code block that holds a tuple of pairs, one pair (person, item) for each person, in any order. Spell the names exactly as above, for example
\`\`\`python
(('Ann','red book'),('Theo','blue drum'))
\`\`\``;
}

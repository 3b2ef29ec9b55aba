import type { Language } from "../row.js";
import { COLOURS } from "../vocabulary.js";
import { ATTRIBUTES, type Attribute, type Change, type Item, type Values } from "./object-properties-changes.js";

const words = (text: string) => text.split(", ");

/** The possible values, at least seven for each attribute. No value belongs to two attributes. */
export const VALUES: Readonly<Record<Language, Readonly<Record<Attribute, readonly string[]>>>> = {
  en: {
    sizes: words("tiny, small, medium, large, huge, gigantic, miniature, bulky"),
    // No value is both a color and a material. "silver" would be ambiguous, for example.
    colors: COLOURS.en.filter((color) => !["golden", "silver", "copper", "ivory", "coral", "amber", "olive", "lilac"].includes(color)),
    countries: words("Norway, Spain, Japan, Peru, Egypt, Canada, Vietnam, Greece, Kenya, Ireland, Poland, India"),
    materials: words("wood, glass, steel, rubber, paper, leather, cork, wax, marble, wool, clay, plastic"),
    smells: words("mint, vanilla, coffee, garlic, pine, lavender, smoke, lemon, cinnamon, vinegar, honey, tar"),
  },
  zh: {
    sizes: words("微型, 小号, 中号, 大号, 特大号, 巨型, 迷你, 超长"),
    colors: COLOURS.zh.filter((color) => !["金色", "银色", "铜色"].includes(color)),
    countries: words("挪威, 西班牙, 日本, 秘鲁, 埃及, 加拿大, 越南, 希腊, 肯尼亚, 爱尔兰, 波兰, 印度"),
    materials: words("木头, 玻璃, 钢铁, 橡胶, 纸张, 皮革, 软木, 石蜡, 大理石, 羊毛, 陶土, 塑料"),
    smells: words("薄荷, 香草, 咖啡, 大蒜, 松树, 薰衣草, 烟熏, 柠檬, 肉桂, 食醋, 蜂蜜, 柏油"),
  },
};

const LABELS: Readonly<Record<Language, Readonly<Record<Attribute, string>>>> = {
  en: { sizes: "size", colors: "color", countries: "origin", materials: "material", smells: "smell" },
  zh: { sizes: "尺寸", colors: "颜色", countries: "产地", materials: "材质", smells: "气味" },
};

/** Lists values: "color red and material wood". */
function list(values: Values, language: Language, joint: string): string {
  return ATTRIBUTES.filter((attribute) => values[attribute] !== undefined)
    .map((attribute) => `${LABELS[language][attribute]}${language === "zh" ? "为" : " "}${values[attribute]}`)
    .join(joint);
}

/** Describes an item by all its attributes except one. */
function describe(item: Item & { readonly name: string }, without: Attribute, language: Language): string {
  const known: Values = { ...item, [without]: undefined };
  if (language === "zh") return `${item.name}（${list(known, language, "，")}）`;
  return `${item.name} (${list(known, language, ", ")})`;
}

/** Lists one attribute of all items in order. Consecutive items with the same value are combined. */
function runs(values: readonly string[], attribute: Attribute, language: Language): string {
  const parts: string[] = [];
  for (let begin = 0; begin < values.length; ) {
    let end = begin + 1;
    while (values[end] === values[begin]) end++;
    const count = end - begin;
    const first = begin === 0;
    if (language === "zh") parts.push(`${first ? "前" : "接着"}${count}件为${values[begin]}`);
    else parts.push(`${values[begin]} for the ${first ? "first" : "next"} ${count === 1 ? "one" : count}`);
    begin = end;
  }
  const label = LABELS[language][attribute];
  return language === "zh"
    ? `按上面的次序，它们的${label}依次是：${parts.join("，")}。`
    : `In the same order, their ${label} is: ${parts.join(", ")}.`;
}

const FRIENDS: Readonly<Record<Language, readonly string[]>> = {
  en: words("My aunt, My brother, My neighbor, My cousin, My teacher"),
  zh: words("我的姑妈, 我的弟弟, 我的邻居, 我的表哥, 我的老师"),
};

/** Describes the only new value of a changed copy: "size, which is tiny". */
const onlyValue = (values: Values) => oneOf(values, "en").join(", which is ");
const onlyChange = (values: Values) => oneOf(values, "zh").join("改为");

function oneOf(values: Values, language: Language): readonly [label: string, value: string] {
  const attribute = ATTRIBUTES.find((one) => values[one] !== undefined)!;
  return [LABELS[language][attribute], values[attribute]!];
}

function english({ kind, where, set, other }: Change, friend: string): string {
  const those = `item with ${list(where, "en", " and ")}`;
  switch (kind) {
    case "set":
      return `${friend} changes every ${those}: the item now has ${list(set, "en", " and ")}, and its other attributes stay the same`;
    case "split":
      return `${friend} takes every ${those} and gives me two copies of it instead: one differs only in its ${onlyValue(set)}, the other only in its ${onlyValue(other)}`;
    case "add":
      return `For every ${those} I keep the item and also get a copy that differs from the item only in having ${list(set, "en", ", ")}`;
    case "lose":
      return `I lose every ${those}`;
    case "trade":
      return `${friend} takes every ${those} and gives me an entirely different item with ${list(set, "en", " and ")} for each of those items`;
    case "compare":
      return `${friend} looks in my collection for items whose combination of smell and color did not occur in it at the very start, and gives me one more copy of each of them`;
  }
}

function chinese({ kind, where, set, other }: Change, friend: string): string {
  const those = `${list(where, "zh", "、")}的物品`;
  switch (kind) {
    case "set":
      return `${friend}改造了每一件${those}，使其${list(set, "zh", "、")}，其余属性不变`;
    case "split":
      return `${friend}拿走每一件${those}，并各还给我两件复制品：一件只把${onlyChange(set)}，另一件只把${onlyChange(other)}`;
    case "add":
      return `对每一件${those}，我保留原物，并另得一件复制品，但它${list(set, "zh", "、")}`;
    case "lose":
      return `我丢失了每一件${those}`;
    case "trade":
      return `${friend}拿走每一件${those}，并为每一件换给我一件${list(set, "zh", "、")}的全然不同的物品`;
    case "compare":
      return `${friend}找出气味与颜色的组合在最初的收藏里没有出现过的物品，并各再给我一件复制品`;
  }
}

export interface StoryParts {
  readonly items: readonly (Item & { readonly name: string })[];
  /** The attribute whose values are listed for all items in one sentence. */
  readonly apart: Attribute;
  readonly changes: readonly Change[];
  /** For each change, the number of items of each material after it. Undefined if the story does not mention the materials. */
  readonly inventories: readonly (ReadonlyMap<string, number> | undefined)[];
}

export function story({ items, apart, changes, inventories }: StoryParts, language: Language): string {
  const told = items.map((item) => describe(item, apart, language));
  const values = runs(
    items.map((item) => item[apart]),
    apart,
    language,
  );
  const steps = changes.map((change, i) => {
    const friend = FRIENDS[language][(i + items.length) % FRIENDS[language].length]!;
    const inventory = [...(inventories[i] ?? [])];
    if (language === "zh") {
      const counts = inventory.map(([material, count]) => `${material}${count}件`).join("，");
      return `${i + 1}. ${chinese(change, friend)}。${counts && `此后按材质计有：${counts}。`}`;
    }
    const counts = inventory.map(([material, count]) => `${count} ${material} ${count === 1 ? "item" : "items"}`).join(", ");
    return `${i + 1}. ${english(change, friend)}.${counts && ` After that I have ${counts}.`}`;
  });
  if (language === "zh") {
    return `我收藏了${items.length}件物品：${told.join("；")}。${values}\n\n随后收藏依次发生了下列变化：\n${steps.join("\n")}`;
  }
  return `I collect things and start with ${items.length}: ${told.join("; ")}. ${values}\n\nThen my collection changes step by step:\n${steps.join("\n")}`;
}

export function query(asked: Values, language: Language): string {
  if (language === "zh") return `现在的收藏里，有多少件物品至少符合下列一项：${list(asked, language, "，或")}？`;
  return `How many items of my collection now have at least one of these: ${list(asked, language, ", or ")}?`;
}

export function question(told: string, asked: string, language: Language): string {
  if (language === "zh") {
    return `${told}

${asked}

每一步都作用于当时的全部物品。换来的物品，其未说明的属性无从得知。若因此无法确定这个数目，答案就是 unknown。请把最后的整数或 unknown 放在 \\boxed{} 中，例如 \\boxed{4}。`;
  }
  return `${told}

${asked}

Each step applies to all items that I have at that time. Attributes of items that I get in exchange are not known unless they are stated. If the number depends on them, so that it cannot be determined, the answer is unknown. Put the number, or the word unknown, into \\boxed{}, for example \\boxed{4}.`;
}

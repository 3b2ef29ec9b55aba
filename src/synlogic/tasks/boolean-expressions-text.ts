// Facts, comparison words and the question of boolean_expressions.

import type { Language } from "../row.js";
import { truthOfSentence } from "./boolean-expressions-facts.js";

/** Countries and their capitals. */
const CAPITALS: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  en: {
    France: "Paris",
    Japan: "Tokyo",
    Italy: "Rome",
    Spain: "Madrid",
    Egypt: "Cairo",
    Greece: "Athens",
    Kenya: "Nairobi",
    Cuba: "Havana",
    Peru: "Lima",
    Norway: "Oslo",
    Poland: "Warsaw",
    Austria: "Vienna",
    Canada: "Ottawa",
    China: "Beijing",
    Germany: "Berlin",
    Brazil: "Brasilia",
    Nigeria: "Abuja",
    Australia: "Canberra",
  },
  zh: {
    法国: "巴黎",
    日本: "东京",
    意大利: "罗马",
    西班牙: "马德里",
    埃及: "开罗",
    希腊: "雅典",
    肯尼亚: "内罗毕",
    古巴: "哈瓦那",
    秘鲁: "利马",
    挪威: "奥斯陆",
    波兰: "华沙",
    奥地利: "维也纳",
    加拿大: "渥太华",
    中国: "北京",
    德国: "柏林",
    巴西: "巴西利亚",
    尼日利亚: "阿布贾",
    澳大利亚: "堪培拉",
  },
};

/** Pairs of a true and a false sentence. */
const PAIRS: Readonly<Record<Language, readonly (readonly [string, string])[]>> = {
  en: [
    ["The Earth moves around the Sun.", "The Sun moves around the Moon."],
    ["A spider has eight legs.", "A spider has six legs."],
    ["Whales are mammals.", "Whales are birds."],
    ["Iron is a metal.", "Iron is a gas at room temperature."],
    ["Mercury is the planet closest to the Sun.", "Neptune is the planet closest to the Sun."],
    ["Light travels faster than sound.", "Sound travels faster than light."],
    ["A triangle has three sides.", "A triangle has four sides."],
    ["Swallows can fly.", "Penguins can fly."],
    ["Ice floats on water.", "Iron floats on water."],
    ["An hour has 60 minutes.", "An hour has 100 minutes."],
    ["Pure water freezes at 0 degrees Celsius at sea level.", "Pure water freezes at 50 degrees Celsius at sea level."],
    ["The Moon moves around the Earth.", "The Moon is larger than the Earth."],
    ["Diamonds consist of carbon.", "Diamonds consist of iron."],
    ["The South Pole lies in Antarctica.", "The North Pole lies in Antarctica."],
    ["A week has seven days.", "A week has nine days."],
    ["Horses have four legs.", "Snakes have four legs."],
  ],
  zh: [
    ["地球围绕太阳转。", "太阳围绕月亮转。"],
    ["蜘蛛有八条腿。", "蜘蛛有六条腿。"],
    ["鲸是哺乳动物。", "鲸是鸟类。"],
    ["铁是金属。", "铁在室温下是气体。"],
    ["水星是离太阳最近的行星。", "海王星是离太阳最近的行星。"],
    ["光比声音传播得快。", "声音比光传播得快。"],
    ["三角形有三条边。", "三角形有四条边。"],
    ["燕子会飞。", "企鹅会飞。"],
    ["冰能浮在水面上。", "铁块能浮在水面上。"],
    ["一小时有六十分钟。", "一小时有一百分钟。"],
    ["纯水在海平面上于零摄氏度结冰。", "纯水在海平面上于五十摄氏度结冰。"],
    ["月亮围绕地球转。", "月亮比地球大。"],
    ["钻石由碳组成。", "钻石由铁组成。"],
    ["南极点在南极洲。", "北极点在南极洲。"],
    ["一个星期有七天。", "一个星期有九天。"],
    ["马有四条腿。", "蛇有四条腿。"],
  ],
};

const normalized = (sentence: string) =>
  sentence
    .trim()
    .replace(/[.。]$/, "")
    .toLowerCase();

const KNOWN = new Map(
  Object.values(PAIRS).flatMap((pairs) =>
    pairs.flatMap(([right, wrong]) => [[normalized(right), true] as const, [normalized(wrong), false] as const]),
  ),
);
const CAPITAL_OF = new Map(
  [
    ...Object.values(CAPITALS),
    // Further names that other generators use.
    { USA: "Washington", "the USA": "Washington", "the United States": "Washington", UK: "London", "the UK": "London", England: "London" },
    { Russia: "Moscow", India: "New Delhi", "South Korea": "Seoul", Turkey: "Ankara" },
    { 美国: "华盛顿", 英国: "伦敦", 俄罗斯: "莫斯科", 印度: "新德里", 韩国: "首尔", 土耳其: "安卡拉" },
  ].flatMap((capitals) => Object.entries(capitals).map(([country, capital]) => [country.toLowerCase(), capital.toLowerCase()] as const)),
);

/** Returns the truth of a sentence. `"disputed"` marks a well-known belief without a clear answer, undefined an unknown sentence. */
export function truthOfFact(sentence: string): boolean | "disputed" | undefined {
  const plain = normalized(sentence);
  const [, country, capital] = /^the capital of (.+) is (.+)$/.exec(plain) ?? /^(.+)的首都是(.+)$/.exec(plain) ?? [];
  const known = country === undefined ? undefined : CAPITAL_OF.get(country);
  if (known !== undefined) return capital!.normalize("NFD").replace(/\p{M}|,? ?d\.?c\.?$|特区$/gu, "") === known;
  return KNOWN.get(plain) ?? truthOfSentence(plain);
}

/**
 * Returns all true, or all false, sentences of a language. In a false sentence about a capital, the capital is that of the next country in
 * the list.
 */
export function factsOf(language: Language, truth: boolean): readonly string[] {
  const countries = Object.keys(CAPITALS[language]);
  const capitals = countries.map((country, i) => {
    const capital = CAPITALS[language][truth ? country : countries[(i + 1) % countries.length]!]!;
    return language === "zh" ? `${country}的首都是${capital}。` : `The capital of ${country} is ${capital}.`;
  });
  return [...PAIRS[language].map((pair) => pair[truth ? 0 : 1]), ...capitals];
}

export type Comparison = ">" | "<" | ">=" | "<=" | "=" | "!=";

export const COMPARISONS: Readonly<Record<Language, Readonly<Record<Comparison, string>>>> = {
  en: {
    ">": "is greater than",
    "<": "is less than",
    ">=": "is at least",
    "<=": "is at most",
    "=": "is equal to",
    "!=": "is not equal to",
  },
  zh: { ">": "大于", "<": "小于", ">=": "大于或等于", "<=": "小于或等于", "=": "等于", "!=": "不等于" },
};

/** Patterns of comparison words. A pattern comes before those that match part of the same words, for example ">=" before ">". */
const COMPARISON_WORDS: readonly (readonly [RegExp, Comparison])[] = [
  [/not equal|^is not$|differ|!=|≠|不等于|不是/, "!="],
  [/(?:greater|more|larger).*equal|at least|not less|no less|>=|≥|大于等于|大于或等于|不小于|至少/, ">="],
  [/(?:less|smaller|fewer).*equal|at most|not greater|no more|<=|≤|小于等于|小于或等于|不大于|至多/, "<="],
  [/greater|more than|larger|exceeds|>|大于/, ">"],
  [/less|smaller|fewer|<|小于/, "<"],
  [/equal|^is$|the same as|==?|等于/, "="],
];

/** Returns the comparison that a word stands for. Returns undefined for other words. */
export const comparisonOf = (word: string) => COMPARISON_WORDS.find(([pattern]) => pattern.test(word))?.[1];

/** Patterns of arithmetic operators. Two terms joined by such an operator give a number, so the expression has no truth value. */
const NUMBER_WORDS: readonly (readonly [RegExp, "+" | "-" | "*" | "/"])[] = [
  [/plus|added|加/, "+"],
  [/minus|subtract|减/, "-"],
  [/times|multipl|乘/, "*"],
  [/divided|除/, "/"],
];

export const numberOperatorOf = (word: string) => NUMBER_WORDS.find(([pattern]) => pattern.test(word))?.[1];

export function booleanQuestion(options: readonly string[], language: Language): string {
  const list = options.map((option, i) => `${String.fromCharCode(65 + i)}. ${option}`).join("\n");
  if (language === "zh") {
    return `下面每个选项是真（True）或假（False）：

${list}

not、and、or 按通常的逻辑含义理解：每个 not 作用于紧跟其后的内容，and 和 or 的运算对象都在括号中。算式按精确的分数计算。至少有一个选项为真。
请找出所有为真的选项，把它们的字母用逗号分开，写在 \\boxed{} 中，例如 \\boxed{A,C}。`;
  }
  return `Each of these options is true or false:

${list}

The words not, and, or have their logical meaning. Each not applies to what follows it, and the operands of and, or are in brackets. Division gives exact fractions. At least one option is true.
Find all true options, and end your answer with their letters, separated by commas, inside \\boxed{}, for example \\boxed{A,C}.`;
}

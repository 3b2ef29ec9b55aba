// The sentences of web_of_lies, in both languages.

import type { Language } from "../row.js";

const PLACE_PAIRS =
  "park:公园,museum:博物馆,library:图书馆,harbour:港口,bakery:面包店,cinema:电影院,theatre:剧院,station:车站,airport:机场,school:学校,hospital:医院,bank:银行,market:市场,hotel:酒店,stadium:体育场,gallery:画廊,castle:城堡,zoo:动物园,aquarium:水族馆,lighthouse:灯塔,bridge:大桥,chapel:教堂,farm:农场,factory:工厂,garden:花园,beach:海滩,pool:游泳池,gym:健身房,cafe:咖啡店,restaurant:餐厅,bookshop:书店,pharmacy:药店,laundry:洗衣店,workshop:作坊,observatory:天文台,archive:档案馆,courthouse:法院,embassy:大使馆,quarry:采石场,vineyard:葡萄园".split(
    ",",
  );

/** Places, 40 in each language. */
export const PLACES = {
  en: PLACE_PAIRS.map((pair) => pair.split(":")[0]!),
  zh: PLACE_PAIRS.map((pair) => pair.split(":")[1]!),
} as const;

/** Sentence templates. A person is inserted as mentioned in the puzzle, by name or by place. */
export interface Sentences {
  atPlace(place: string): string;
  isAt(name: string, place: string): string;
  /** Sentences that state whether a person tells the truth. */
  readonly facts: { readonly truth: readonly ((a: string) => string)[]; readonly lies: readonly ((a: string) => string)[] };
  says(a: string, b: string, truth: boolean): string;
  /** a says that at least one of b and c tells the truth or, if `truth` is false, that both lie. */
  saysOneOf(a: string, b: string, c: string, truth: boolean): string;
  saysSame(a: string, b: string, same: boolean): string;
  /** Remarks that say nothing about honesty. */
  readonly idle: readonly ((a: string, b: string) => string)[];
  asks(a: string): string;
}

export const SENTENCES: Readonly<Record<Language, Sentences>> = {
  en: {
    atPlace: (place) => `the person at the ${place}`,
    isAt: (name, place) => `${name} is at the ${place}.`,
    facts: {
      truth: [(a) => `${a} always tells the truth.`, (a) => `${a} never lies.`, (a) => `It is certain that ${a} tells the truth.`],
      lies: [(a) => `${a} always lies.`, (a) => `${a} never tells the truth.`, (a) => `It is certain that ${a} lies.`],
    },
    says: (a, b, truth) => `${a} says that ${b} ${truth ? "tells the truth" : "lies"}.`,
    saysOneOf: (a, b, c, truth) =>
      truth ? `${a} says that at least one of ${b} and ${c} tells the truth.` : `${a} says that ${b} and ${c} both lie.`,
    saysSame: (a, b, same) => `${a} claims to be of ${same ? "the same kind as" : "another kind than"} ${b}.`,
    idle: [
      (a) => `${a} likes to get up early.`,
      (a, b) => `${a} went to school with ${b}.`,
      (a) => `${a} has lost an umbrella.`,
      (a, b) => `${a} says that ${b} plays the violin.`,
      (a) => `${a} is reading a long novel.`,
      (a, b) => `${a} would like to have dinner with ${b}.`,
      (a) => `${a} owns two bicycles.`,
    ],
    asks: (a) => `Does ${a} tell the truth?`,
  },
  zh: {
    atPlace: (place) => `在${place}的人`,
    isAt: (name, place) => `${name}在${place}。`,
    facts: {
      truth: [(a) => `${a}总是说真话。`, (a) => `${a}从不说谎。`, (a) => `可以确定，${a}说真话。`],
      lies: [(a) => `${a}总是说谎。`, (a) => `${a}从不说真话。`, (a) => `可以确定，${a}说谎。`],
    },
    says: (a, b, truth) => `${a}说${b}${truth ? "说真话" : "说谎"}。`,
    saysOneOf: (a, b, c, truth) => (truth ? `${a}说${b}和${c}中至少有一个说真话。` : `${a}说${b}和${c}都说谎。`),
    saysSame: (a, b, same) => `${a}声称自己和${b}${same ? "是" : "不是"}同一类人。`,
    idle: [
      (a) => `${a}喜欢早起。`,
      (a, b) => `${a}和${b}是同学。`,
      (a) => `${a}弄丢了一把伞。`,
      (a, b) => `${a}说${b}会拉小提琴。`,
      (a) => `${a}正在读一本长篇小说。`,
      (a, b) => `${a}想请${b}吃晚饭。`,
      (a) => `${a}有两辆自行车。`,
    ],
    asks: (a) => `${a}说真话吗？`,
  },
};

const capital = (text: string) => text[0]!.toUpperCase() + text.slice(1);

/** Begins a sentence with a capital letter. */
export const sentence = (text: string, language: Language): string => (language === "en" ? capital(text) : text);

export function question(statements: readonly string[], asked: readonly string[], people: number, language: Language): string {
  const { asks } = SENTENCES[language];
  const questions = asked.map((person, i) => `${i + 1}. ${asks(person)}`).join("\n");
  if (language === "zh") {
    return `有 ${people} 个人，每个人要么总是说真话，要么总是说谎。每个人都在不同的地方。
没有说话人的、关于谁说真话或说谎的叙述都是真的；其他闲话与谜题无关。

${statements.join("\n")}

请依次回答：
${questions}

请逐步推理，并在最后一行按以下格式给出答案，把“是”或“否”按问题的顺序用逗号隔开并加粗（共 ${asked.length} 个），后面不要再写别的内容：
答案是 **是, 否**。`;
  }
  return `Each of ${people} people either always tells the truth or always lies. Each person is at a different place.
Sentences about honesty that have no speaker are true. Remarks about anything else do not matter.

${statements.join("\n")}

Answer in this order:
${questions}

Think step by step. End your answer with a last line in the following format, with one bold "yes" or "no" for each question (${asked.length} in all), separated by commas, and nothing after it:
The answer is **yes, no**.`;
}

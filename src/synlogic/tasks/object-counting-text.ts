import type { Language } from "../row.js";

/** A kind of objects, under its published name. */
export interface Category {
  readonly name: string;
  /** The category's name in a question. */
  readonly label: Readonly<Record<Language, string>>;
  /** Recognizes the category in a question. It also covers the published questions. */
  readonly words: RegExp;
  readonly items: Readonly<Record<Language, readonly string[]>>;
  /** The Chinese measure word of most items of the category. */
  readonly measure: string;
}

function category(name: string, en: string, zh: string, measure: string, words: RegExp, pairs: string): Category {
  const items = pairs.split(", ").map((pair) => /^(.*) (\S+)$/.exec(pair)!.slice(1));
  return { name, label: { en, zh }, measure, words, items: { en: items.map(([item]) => item!), zh: items.map(([, item]) => item!) } };
}

export const CATEGORIES: readonly Category[] = [
  category(
    "fruit",
    "fruits",
    "水果",
    "个",
    /\bfruits?\b|水果/i,
    "apples 苹果, pears 梨子, plums 李子, cherries 樱桃, peaches 桃子, apricots 杏子, lemons 柠檬, limes 青柠, oranges 橙子, mandarins 橘子, bananas 香蕉, mangoes 芒果, kiwis 猕猴桃, figs 无花果, dates 椰枣, melons 甜瓜, grapefruits 西柚, papayas 木瓜, pineapples 菠萝, coconuts 椰子",
  ),
  category(
    "animal",
    "animals",
    "动物",
    "只",
    /\banimals?\b|动物/i,
    "dogs 狗, cats 猫, horses 马, cows 奶牛, sheep 绵羊, goats 山羊, pigs 猪, rabbits 兔子, hamsters 仓鼠, hens 母鸡, geese 鹅, ducks 鸭子, pigeons 鸽子, parrots 鹦鹉, turtles 乌龟, lizards 蜥蜴, frogs 青蛙, goldfish 金鱼, donkeys 驴子, bees 蜜蜂",
  ),
  category(
    "car",
    "cars",
    "汽车",
    "辆",
    /\bcars?\b|\bvehicles?\b|汽车|车辆/i,
    "convertibles 敞篷车, limousines 加长轿车, pickups 皮卡, minivans 小型客车, sports cars 跑车, station wagons 旅行车, taxis 出租车, race cars 赛车, vintage cars 老爷车, police cars 警车, hatchbacks 两厢轿车, sedans 三厢轿车, off-roaders 越野车, electric cars 电动汽车, city cars 微型汽车, hearses 灵车, camper vans 房车, coupes 双门轿车",
  ),
  category(
    "electronic",
    "electronic devices",
    "电子产品",
    "台",
    /\belectronics?\b|电子/i,
    "laptops 笔记本电脑, tablets 平板电脑, phones 手机, printers 打印机, scanners 扫描仪, monitors 显示器, keyboards 键盘, routers 路由器, headphones 耳机, microphones 麦克风, radios 收音机, televisions 电视机, projectors 投影仪, cameras 照相机, calculators 计算器, speakers 音箱, drones 无人机, webcams 摄像头",
  ),
  category(
    "book",
    "books",
    "书籍",
    "本",
    /\bbooks?\b|书/i,
    "novels 小说, atlases 地图册, dictionaries 词典, cookbooks 菜谱, travel guides 旅行指南, biographies 传记, textbooks 教科书, comics 漫画, diaries 日记, songbooks 歌曲集, fairy tales 童话集, thrillers 惊悚故事集, poetry collections 诗集, encyclopedias 百科全书, picture books 图画本, almanacs 年鉴, manuals 手册, hymnals 赞美诗集",
  ),
  category(
    "furniture",
    "pieces of furniture",
    "家具",
    "张",
    /\bfurniture\b|家具/i,
    "chairs 椅子, tables 餐桌, desks 写字台, beds 木床, sofas 沙发, stools 凳子, benches 长椅, wardrobes 衣柜, dressers 梳妆台, bookcases 置物架, cupboards 橱柜, armchairs 扶手椅, cradles 摇篮, nightstands 床头柜, sideboards 餐边柜, coffee tables 茶几, bunk beds 双层床, hammocks 吊床",
  ),
  category(
    "clothes",
    "pieces of clothing",
    "衣物",
    "件",
    /\bclothes\b|\bclothing\b|衣|服装/i,
    "shirts 衬衫, trousers 长裤, skirts 短裙, dresses 连衣裙, coats 大衣, jackets 夹克, sweaters 毛线衫, vests 背心, scarves 围巾, gloves 手套, hats 帽子, socks 袜子, shorts 短裤, pajamas 睡袍, raincoats 雨披, jeans 牛仔裤, aprons 围裙, blouses 女式上装",
  ),
];

/** Items whose measure word differs from that of their category, by measure word. */
const MEASURES: Readonly<Record<string, readonly string[]>> = {
  个: ["键盘", "路由器", "麦克风", "摄像头", "衣柜", "置物架", "橱柜", "摇篮", "床头柜", "餐边柜"],
  颗: ["樱桃", "椰枣"],
  根: ["香蕉"],
  条: ["狗", "金鱼", "长裤", "短裙", "连衣裙", "围巾", "短裤", "牛仔裤", "围裙"],
  匹: ["马"],
  头: ["奶牛", "猪", "驴"],
  部: ["手机"],
  副: ["耳机"],
  架: ["无人机"],
  把: ["椅子", "扶手椅"],
  只: ["手套", "袜子"],
  顶: ["帽子"],
};

/** Returns the Chinese measure word of an item. */
function measureOf(item: string): string {
  const own = Object.entries(MEASURES).find(([, items]) => items.includes(item))?.[0];
  return own ?? CATEGORIES.find(({ items }) => items.zh.includes(item))?.measure ?? "个";
}

/** The first person, followed by sixteen other owners. */
export const OWNERS: Readonly<Record<Language, readonly string[]>> = {
  en: [
    "I",
    ..."aunt uncle brother sister mother father grandmother grandfather cousin neighbor teacher friend roommate colleague dentist landlord"
      .split(" ")
      .map((name) => `My ${name}`),
  ],
  zh: ["我", ..."姑妈 叔叔 弟弟 妹妹 妈妈 爸爸 外婆 外公 表哥 邻居 老师 朋友 室友 同事 牙医 房东".split(" ").map((name) => `我的${name}`)],
};

/** Remarks that change no count. */
export const REMARKS: Readonly<Record<Language, readonly string[]>> = {
  en: [
    " (all of them gifts)",
    " (some of them rather old)",
    " (borrowed from a friend)",
    " (which I want to sell)",
    " (found last summer)",
    " (kept in the garage)",
  ],
  zh: ["（都是别人送的）", "（有些已经很旧了）", "（是向朋友借来的）", "（正打算卖掉）", "（去年夏天找到的）", "（放在车库里）"],
};

export function sentence(owner: string, item: string, count: number, remark: string, language: Language): string {
  if (language === "zh") return `${owner}有${count}${measureOf(item)}${item}${remark}。`;
  return `${owner} ${owner === "I" ? "have" : "has"} ${count} ${item}${remark}.`;
}

/** Describes how the count of an item came about. @param amounts the initial amount and all later ones; the last one is the count */
export function history(item: string, amounts: readonly number[], language: Language): string {
  const measure = measureOf(item);
  const steps = amounts.slice(1).map((amount, i) => {
    const change = amount - amounts[i]!;
    if (language === "zh") return `后来${change > 0 ? "得到" : "失去"}了${Math.abs(change)}${measure}，变成${amount}${measure}`;
    return `then I ${change > 0 ? "received" : "gave away"} ${Math.abs(change)}, which made ${amount}`;
  });
  return language === "zh"
    ? `（起初我有${amounts[0]}${measure}，${steps.join("，")}）`
    : ` (at first I had ${amounts[0]}, ${steps.join(", ")})`;
}

/**
 * Writes the last sentence, which asks for a number. @param difference asks for the difference of two categories instead of the sum of all
 */
export function query(categories: readonly Category[], difference: boolean, language: Language): string {
  const labels = categories.map(({ label }) => label[language]);
  if (language === "zh")
    return difference ? `我拥有的${labels.join("与")}在数量上相差多少（绝对值）？` : `我拥有的${labels.join("和")}总数是多少？`;
  if (!difference) return `How many ${labels.join(" and ")} do I have altogether?`;
  return `What is the absolute difference between the number of ${labels.join(" and the number of ")} that I have?`;
}

export function question(sentences: readonly string[], asked: string, language: Language): string {
  if (language === "zh") {
    return `请阅读下面的物品清单：

${sentences.join("")}

只计算“我”自己拥有的物品，其他人的不算。借来的、打算卖掉的也算拥有。每句话的开头就是现在的数量，括号里只是说明或过去的数量，不再另算。

问题：${asked}

请把最后的整数放在 \\boxed{} 中，例如 \\boxed{12}。`;
  }
  return `Here is a list of what people own:

${sentences.join(" ")}

Count only what I own myself, not what other people own. Things that I borrowed or want to sell count as mine. Each sentence begins with the present number; brackets hold remarks or earlier numbers, which are not added.

Question: ${asked}

Put the final whole number into \\boxed{}, for example \\boxed{12}.`;
}

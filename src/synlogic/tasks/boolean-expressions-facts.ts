// The truth of well-known sentences that other generators use, in lower case and without a full stop.

/** Patterns of sentences. The first pattern that matches decides. `"disputed"` marks a belief without a clear answer. */
const SENTENCES: readonly (readonly [RegExp, boolean | "disputed"])[] = [
  [/great wall.*(?:space|moon)|长城.*(?:太空|月球|月亮)/, "disputed"],
  [/great wall.*(?:one|a single) (?:year|day)|长城.*[一1](?:年|天)/, false],
  [/(?:earth|planets?) .*(?:around|orbits?|revolves?) .*sun|(?:地球|行星).*(?:绕|围).*太阳/, true],
  [/sun .*(?:around|orbits?|revolves?) .*(?:earth|moon)|太阳.*(?:绕|围).*(?:地球|月)/, false],
  [/moon .*(?:around|orbits?|revolves?) .*earth|月[球亮].*(?:绕|围).*地球/, true],
  [/earth is flat|地球是(?:平|方)的/, false],
  [/earth is (?:round|a sphere|spherical)|地球是(?:圆|球)/, true],
  [/sun is a planet|moon is a star|太阳是(?:一颗)?行星|月[球亮]是(?:一颗)?恒星/, false],
  [/sun is a star|太阳是(?:一颗)?恒星/, true],
  [/sun rises in the west|太阳从西/, false],
  [/sun rises in the east|太阳从东/, true],
  [/mercury is the (?:closest planet|planet closest) to the sun|水星.*离太阳最近|离太阳最近.*水星/, true],
  [/is the (?:closest planet|planet closest) to the sun|离太阳最近/, false],
  [/jupiter is the (?:largest|biggest) planet|木星.*最大/, true],
  [/is the (?:largest|biggest) planet|是(?:太阳系中)?最大的行星/, false],
  [/(?:a )?day (?:on earth )?(?:is|has|lasts) 24 hours|一天.*(?:24|二十四) ?个?小时/, true],
  [/mount everest is the (?:tallest|highest)|珠穆朗玛峰.*最高/, true],
  [/pacific.*largest ocean|largest ocean.*pacific|太平洋.*最大/, true],
  [/sahara.*africa|撒哈拉.*非洲/, true],
  [/sahara.*(?:asia|australia|america|europe)|撒哈拉.*(?:亚洲|澳|美洲|欧洲)/, false],
  [/(?:sound|声音).*(?:cannot|can't|can not|不能).*(?:vacuum|真空)|真空.*不能.*声音|声音.*真空.*不能/, true],
  [/(?:sound|声音).*(?:can|能|可以).*(?:vacuum|真空)|声音.*真空.*(?:能|可以)/, false],
  [/light .*faster than sound|光.*比(?:声音|音速).*快/, true],
  [/(?:sound|electricity|电流|声音).*(?:faster than|比).*(?:light|光)/, false],
  [
    /water (?:boils at 100|freezes at 0) degrees|水.*(?:100|一百) ?(?:度|摄氏度|℃).*沸|水的沸点.*100|水.*0 ?(?:度|摄氏度|℃).*(?:结冰|冻)/,
    true,
  ],
  [/oxygen is (?:necessary|essential|required|needed).*(?:humans?|life|survival)|氧气.*(?:必需|必要|必须)/, true],
  [/206 bones|206 ?块骨/, true],
  [/human body has [0-9]+ bones|人体有 ?[0-9]+ ?块骨/, false],
  [/humans have (?:two|2) (?:lungs|eyes|kidneys|ears)|人(?:类)?有(?:两|2) ?(?:个|只|颗)?(?:肺|眼|肾|耳)/, true],
  [
    /humans have (?:one|three|four|five|[13-9]) (?:lungs?|hearts|kidneys?|eyes?)|人(?:类)?有[三四五3-5] ?(?:个|只|颗)?(?:肺|眼|肾|心)/,
    false,
  ],
  [/(?:whales|dolphins|humans|bats|dogs|cats) are mammals|(?:鲸鱼?|海豚|人类?|蝙蝠|狗|猫)是(?:一种)?哺乳动物/, true],
  [/(?:sharks|snakes|frogs|penguins) are mammals|(?:鲨鱼|蛇|青蛙|企鹅)是(?:一种)?哺乳动物/, false],
  [/(?:spiders|bats|whales|dolphins) are (?:insects|birds|fish)|蜘蛛是(?:一种)?昆虫|蝙蝠是(?:一种)?鸟|(?:鲸鱼?|海豚)是(?:一种)?鱼/, false],
  [/penguins can fly|企鹅(?:会|能)飞/, false],
  [/gold is a (?:liquid|gas)|金.*(?:室温|常温).*(?:液体|气体)/, false],
];

const SYMBOLS: Readonly<Record<string, string>> = {
  gold: "au",
  silver: "ag",
  iron: "fe",
  copper: "cu",
  sodium: "na",
  oxygen: "o",
  hydrogen: "h",
  helium: "he",
  carbon: "c",
  water: "h2o",
  黄金: "au",
  金: "au",
  银: "ag",
  铁: "fe",
  铜: "cu",
  钠: "na",
  氧: "o",
  水: "h2o",
};

/** Returns the truth of a well-known sentence. Returns undefined for any other sentence. */
export function truthOfSentence(sentence: string): boolean | "disputed" | undefined {
  const [, substance, symbol] =
    /^the chemical (?:symbol|formula) (?:for|of) (\w+) is (\w+)$/.exec(sentence) ??
    /^(.+?)的化学(?:符号|式|元素符号)是 ?(\w+)$/.exec(sentence) ??
    [];
  if (substance !== undefined && Object.hasOwn(SYMBOLS, substance)) return SYMBOLS[substance] === symbol;
  return SENTENCES.find(([pattern]) => pattern.test(sentence))?.[1];
}

// The built-in words for puzzles about people and things, in both languages. The two lists of a pair have the same length and order.

import { NAMES } from "./words.js";

/** First names, 42 in each language. */
export const PEOPLE = {
  en: [
    ...NAMES.en,
    ..."Yusuf Zelda Aaron Bianca Cedric Daphne Edgar Flora Gustav Helga Ivan Judith Kurt Leonie Marvin Nora Oscar Paula".split(" "),
  ],
  zh: [...NAMES.zh, ..."唐伟 韩冰 冯雷 董洁 萧峰 程颖 曹阳 袁媛 邓超 许晴 傅明 沈悦 曾强 彭佳 吕波 苏菲 卢娜 蒋涛".split(" ")],
} as const;

/** Colours, 22 in each language. No Chinese colour ends in another one. */
export const COLOURS = {
  en: "red blue green yellow black white orange purple brown pink gray golden silver beige teal scarlet amber ivory coral olive lilac copper".split(
    " ",
  ),
  zh: "红色 蓝色 绿色 黄色 黑色 白色 橙色 紫色 棕色 粉色 灰色 金色 银色 米色 青色 绯色 琥珀色 象牙色 珊瑚色 橄榄色 丁香色 铜色".split(" "),
} as const;

const THING_PAIRS =
  "pen 钢笔, book 书本, lamp 台灯, watch 手表, cup 杯子, plate 盘子, bowl 饭碗, spoon 勺子, fork 叉子, key 钥匙, ring 戒指, hat 帽子, scarf 围巾, glove 手套, belt 腰带, shirt 衬衫, jacket 夹克, skirt 裙子, shoe 鞋子, sock 袜子, bag 背包, wallet 钱包, umbrella 雨伞, mirror 镜子, comb 梳子, brush 刷子, towel 毛巾, pillow 枕头, blanket 毯子, candle 蜡烛, vase 花瓶, clock 闹钟, radio 收音机, camera 相机, guitar 吉他, drum 小鼓, flute 长笛, violin 提琴, ball 皮球, kite 风筝, doll 娃娃, puzzle 拼图, marble 弹珠, whistle 哨子, hammer 锤子, saw 锯子, wrench 扳手, ladder 梯子, bucket 水桶, basket 篮子, bottle 瓶子, kettle 水壶, stamp 邮票, letter 信封, map 地图, coin 硬币, medal 奖章, badge 徽章, button 纽扣, needle 缝针, ribbon 丝带, rope 绳子, bell 铃铛, anchor 船锚, compass 罗盘, telescope 望远镜, magnet 磁铁, battery 电池, ruler 尺子, eraser 橡皮".split(
    ", ",
  );

/** Things that a person can own, 70 in each language, in the singular. */
export const THINGS = {
  en: THING_PAIRS.map((pair) => pair.split(" ")[0]!),
  zh: THING_PAIRS.map((pair) => pair.split(" ")[1]!),
} as const;

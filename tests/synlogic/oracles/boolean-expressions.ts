import type { Oracle } from "../oracle.js";

/** Parts of the true sentences that the false ones lack. */
const TRUE_FACTS =
  /Earth moves around the Sun|spider has eight|Whales are mammals|Iron is a metal|Mercury is the planet closest|Light travels faster|triangle has three|Swallows can fly|Ice floats|has 60 minutes|freezes at 0 degrees|Moon moves around the Earth|consist of carbon|South Pole lies|has seven days|Horses have four|France is Paris|Japan is Tokyo|Italy is Rome|Spain is Madrid|Egypt is Cairo|Greece is Athens|Kenya is Nairobi|Cuba is Havana|Peru is Lima|Norway is Oslo|Poland is Warsaw|Austria is Vienna|Canada is Ottawa|China is Beijing|Germany is Berlin|Brazil is Brasilia|Nigeria is Abuja|Australia is Canberra|地球围绕太阳|八条腿|哺乳动物|铁是金属|^水星|光比声音|有三条边|燕子会飞|冰能浮|六十分钟|于零摄氏度|月亮围绕地球|由碳组成|南极点在|有七天|马有四条腿|法国的首都是巴黎|日本的首都是东京|意大利的首都是罗马|西班牙的首都是马德里|埃及的首都是开罗|希腊的首都是雅典|肯尼亚的首都是内罗毕|古巴的首都是哈瓦那|秘鲁的首都是利马|挪威的首都是奥斯陆|波兰的首都是华沙|奥地利的首都是维也纳|加拿大的首都是渥太华|中国的首都是北京|德国的首都是柏林|巴西的首都是巴西利亚|尼日利亚的首都是阿布贾|澳大利亚的首都是堪培拉/;

/** How a comparison is decided from the difference of its two terms, those that others contain last. */
const COMPARISONS: readonly (readonly [RegExp, (difference: number) => boolean])[] = [
  [/not equal|不等于/, (d) => d !== 0],
  [/at least|大于或等于/, (d) => d >= 0],
  [/at most|小于或等于/, (d) => d <= 0],
  [/equal|等于/, (d) => d === 0],
  [/greater|大于/, (d) => d > 0],
  [/less|小于/, (d) => d < 0],
];

/** Multiple of all denominators: 1 to 12. */
const SCALE = 27720;

/** Reduces innermost brackets again and again: to t or f for a truth value, to <number> for a term, in units of 1/27720. */
function truth(option: string): boolean {
  let text = `(${option})`;
  for (let step = 0; step < 2000; step++) {
    if (text === "t" || text === "f") return text === "t";
    text = text.replace(/\(([^()]*)\)/, (_, inner: string) => simple(inner));
  }
  throw new Error(option);
}

function simple(inner: string): string {
  if (inner === "True" || inner === "t") return "t";
  if (inner === "False" || inner === "f") return "f";
  if (/^(?:not )+[tf]$/.test(inner)) return (inner.split("not ").length - 1) % 2 === (inner.endsWith("f") ? 1 : 0) ? "t" : "f";
  if (/^[tf](?: and [tf])+$/.test(inner)) return inner.includes("f") ? "f" : "t";
  if (/^[tf](?: or [tf])+$/.test(inner)) return inner.includes("t") ? "t" : "f";
  const [, left, word, right] = /^<(.*?)> ?([^<>]*?) ?<(.*?)>$/.exec(inner) ?? [];
  if (word !== undefined) return COMPARISONS.find(([pattern]) => pattern.test(word))![1](Number(left) - Number(right)) ? "t" : "f";
  return /^[-0-9]/.test(inner) ? `<${term(inner)}>` : TRUE_FACTS.test(inner) ? "t" : "f";
}

/** A term in units of 1/27720: a sum of products, a quotient, or a difference with a term in angle brackets. */
function term(text: string): number {
  const items = text.split(" ");
  const number = (item: string) => (item.startsWith("<") ? Number(item.slice(1, -1)) / SCALE : Number(item));
  let sum = 0;
  let product = number(items[0]!);
  for (let i = 1; i < items.length; i += 2) {
    const [sign, next] = [items[i], number(items[i + 1]!)];
    if (sign === "*") product *= next;
    else if (sign === "/") product /= next;
    else {
      sum += product;
      product = sign === "-" ? -next : next;
    }
  }
  return Math.round((sum + product) * SCALE);
}

export const oracle: Oracle = {
  unique: false,
  candidate(row, random) {
    const options = row.question.split("\n").flatMap((line) => /^[A-Z]\. (.*)$/.exec(line)?.[1] ?? []);
    const right = options.map(truth);
    const drawn = [...right];
    const flips = Math.floor(random.next() * 3);
    for (let i = 0; i < flips; i++) drawn[Math.floor(random.next() * drawn.length)] = random.next() < 0.5;
    const labels = drawn.flatMap((value, i) => (value ? ["ABCDEFGH"[i]!] : []));
    return { text: `\\boxed{${labels.reverse().join(", ")}}`, right: String(drawn) === String(right) };
  },
};

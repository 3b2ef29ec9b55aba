import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

const LABELS: Record<string, string> = {
  fruits: "fruit",
  animals: "animal",
  cars: "car",
  "electronic devices": "electronic",
  books: "book",
  "pieces of furniture": "furniture",
  "pieces of clothing": "clothes",
  水果: "fruit",
  动物: "animal",
  汽车: "car",
  电子产品: "electronic",
  书籍: "book",
  家具: "furniture",
  衣物: "clothes",
};

/** Counts by the sentences of the question. The metadata only says which category an item belongs to. */
function count(question: string, possessions: Record<string, Record<string, [string, number, string][]>>): number {
  const categories = new Map<string, string>();
  for (const owned of Object.values(possessions)) {
    for (const [category, items] of Object.entries(owned)) for (const [item] of items) categories.set(item, category);
  }
  // Remarks and histories are removed first.
  const plain = question.replace(/ \([^)]*\)|（[^）]*）/g, "");
  const totals: Record<string, number> = {};
  for (const [, number, item] of plain.matchAll(
    /(?<=^|[ \n。])(?:I have |我有)([0-9]+)(?: |[个颗根只条匹头辆台部副架本张把件顶])([^.。]+)[.。]/g,
  )) {
    const category = categories.get(item!)!;
    totals[category] = (totals[category] ?? 0) + Number(number);
  }
  const asked = question.split(/Question: |问题：/)[1]!.split("\n")[0]!;
  const named = Object.keys(LABELS)
    .filter((label) => asked.includes(label))
    .map((label) => totals[LABELS[label]!] ?? 0);
  return /difference|相差/.test(asked) ? Math.abs(named[0]! - named[1]!) : named.reduce((a, b) => a + b, 0);
}

export const oracle: Oracle = {
  unique: true,
  candidate({ question, metadata }, random: Random) {
    const { possessions } = metadata as unknown as { possessions: Record<string, Record<string, [string, number, string][]>> };
    const truth = count(question, possessions);
    const given = random.next() < 0.5 ? truth : truth + Math.floor(random.next() * 9) - 4;
    return { text: `So I have \\boxed{${given}}.`, right: given === truth };
  },
};

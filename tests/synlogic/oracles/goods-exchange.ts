import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

/** For each sentence, what its groups are: P a person, I an item. The parties pass on their items in the order of the groups. */
const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^(\S+) and (\S+) trade items with each other$/, "PP"],
  [/^The owner of the (.+) and the owner of the (.+) trade items with each other$/, "II"],
  [/^Whoever has the (.+) trades items with (\S+)$/, "IP"],
  [/^(\S+) trades the .+ for (\S+)'s .+$/, "PP"],
  [/^(\S+) trades the .+ for the (.+)$/, "PI"],
  [/^(\S+) hands the .+ to (\S+), and \S+ hands the .+ to \S+$/, "PP"],
  [/^The (.+) and the (.+) change owners: each goes to the other's owner$/, "II"],
  [/^(\S+) proposes a trade of items to (\S+), and \S+ agrees$/, "PP"],
  [/^At the same moment (\S+) passes their item to (\S+), \S+ passes their item to (\S+), and/, "PPP"],
  [/^\S+ (?:offers|likes|looks)/, ""],
  [/^(..)和(..)互换了物品$/, "PP"],
  [/^(.+)的主人与(.+)的主人互换了物品$/, "II"],
  [/^持有(.+)的人与(..)互换了物品$/, "IP"],
  [/^(..)用.+换来了(..)的.+$/, "PP"],
  [/^(..)用.+换来了(.+)$/, "PI"],
  [/^(..)把[^，自]+给了(..)，..把[^，自]+给了..$/, "PP"],
  [/^(.+)与(.+)互换了主人$/, "II"],
  [/^(..)向(..)提出互换物品/, "PP"],
  [/^在同一时刻，(..)把自己的物品给了(..)，..把自己的物品给了(..)，/, "PPP"],
  [/^..(?:想和|非常喜欢|四处寻找)/, ""],
];

type Metadata = { readonly owns_before: Record<string, string>; readonly operations: readonly string[] };

function after({ owns_before, operations }: Metadata): [string, string][] {
  const people = Object.keys(owns_before);
  const items = Object.values(owns_before);
  for (const operation of operations) {
    const [pattern, kinds] = SENTENCES.find(([sentence]) => sentence.test(operation))!;
    const groups = pattern.exec(operation)!.slice(1);
    const parties = [...kinds].map((kind, i) => (kind === "P" ? people.indexOf(groups[i]!) : items.indexOf(groups[i]!)));
    if (parties.includes(-1)) throw new Error(operation);
    const held = parties.map((party) => items[party]!);
    for (const [i, item] of held.entries()) items[parties[(i + 1) % parties.length]!] = item;
  }
  return people.map((name, i) => [name, items[i]!]);
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random: Random) {
    const truth = after(row.metadata as unknown as Metadata);
    const pairs = truth.map(([name, item]): [string, string] => [name, item]);
    const draw = () => Math.floor(random.next() * pairs.length);
    const change = Math.floor(random.next() * 6);
    const [i, j] = [draw(), draw()];
    if (change === 0) [pairs[i]![1], pairs[j]![1]] = [pairs[j]![1], pairs[i]![1]];
    if (change === 1) pairs.splice(i, 1);
    if (change === 2) pairs.push(pairs[i]!);
    if (change === 3) [pairs[i], pairs[j]] = [pairs[j]!, pairs[i]!];
    if (change === 4) pairs[i]![0] = pairs[j]![0];
    const given = pairs.map((pair) => pair.join("/")).sort();
    const right = JSON.stringify(given) === JSON.stringify(truth.map((pair) => pair.join("/")).sort());
    return { text: `\`\`\`python\n(${pairs.map(([name, item]) => `("${name}", '${item}')`).join(", ")},)\n\`\`\``, right };
  },
};

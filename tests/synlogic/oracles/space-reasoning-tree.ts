import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

/** Finds the cousins by the sentences of the question only. Undefined if these do not suffice. */
function cousins(question: string): string[] {
  const [, facts, last] = question.split("\n\n");
  const children = new Map<string, string[]>();
  const grandchildren = new Map<string, string[]>();
  const list = (text: string) => text.split(/, | and |、/);
  for (const [, node, text] of facts!.matchAll(/The children of ([a-z ]+): ([a-z, ]+)\./g)) children.set(node!, list(text!));
  for (const [, node, text] of facts!.matchAll(/The grandchildren of ([a-z ]+): ([a-z, ]+)\./g)) grandchildren.set(node!, list(text!));
  for (const [, node] of facts!.matchAll(/(?<=^|\. )([a-z ]+) has no children\./g)) children.set(node!, []);
  for (const sentence of facts!.split("。")) {
    const fact = /^(.+)的(孩子|孙辈)是(.+)$/.exec(sentence);
    if (fact) (fact[2] === "孩子" ? children : grandchildren).set(fact[1]!, list(fact[3]!));
    const leaf = /^(.+)没有孩子$/.exec(sentence);
    if (leaf) children.set(leaf[1]!, []);
  }
  const target = /cousins of ([a-z ]+)\?|。([^。]+)的所有堂亲节点/.exec(last!)!.slice(1).find(Boolean)!;
  const [, siblings] = [...children].find(([, list]) => list.includes(target))!;
  for (const [, list] of grandchildren) if (list.includes(target)) return list.filter((one) => !siblings.includes(one));
  const [parent] = [...children].find(([, list]) => list.includes(target))!;
  const [, uncles] = [...children].find(([, list]) => list.includes(parent))!;
  return uncles.filter((one) => one !== parent).flatMap((one) => children.get(one)!);
}

export const oracle: Oracle = {
  unique: true,
  candidate({ question, metadata }, random: Random) {
    const truth = cousins(question).sort();
    const english = metadata!.language === "en";
    const given = [...truth];
    const change = random.next();
    const place = Math.floor(random.next() * given.length);
    if (change < 0.15) given.splice(place, 1);
    else if (change < 0.3) given.push(given[place]!);
    else if (change < 0.45) given.splice(place, 0, "shadow");
    else if (change < 0.6) given.reverse();
    const same = JSON.stringify([...given].sort()) === JSON.stringify(truth);
    const right = same && (!english || JSON.stringify(given) === JSON.stringify(truth));
    return { text: `\\boxed{${given.join(", ")}}`, right };
  },
};

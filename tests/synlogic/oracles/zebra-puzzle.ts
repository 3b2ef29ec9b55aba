import type { Oracle } from "../oracle.js";

type Value = string | number;
type House = Record<string, Value>;

/** The sentences of our own clues as tests. A person is found by the value in the sentence. */
function tests(question: string): ((houses: readonly House[]) => boolean)[] {
  const lists = new Map([...question.matchAll(/^- (\w+): (.+)$/gm)].map((match) => [match[1]!, match[2]!.split(", ")]));
  const person = (text: string) => {
    for (const [attribute, values] of lists) {
      const value = values.find((one) => new RegExp(`\\b${one}\\b`).test(text));
      if (value !== undefined) return (houses: readonly House[]) => houses.findIndex((house) => String(house[attribute]) === value);
    }
    throw new Error(`who is ${text}?`);
  };
  return [...question.matchAll(/^\d+\. (.+)\.$/gm)].map((match) => {
    const text = match[1]!;
    const single = /^(.+?) (lives|does not live) in house (\d)$/.exec(text);
    if (single) {
      const who = person(single[1]!);
      return (houses) => (who(houses) + 1 === Number(single[3])) === (single[2] === "lives");
    }
    const pair =
      /^(.+?) lives (directly to the left of) (.+)$/.exec(text) ??
      /^(.+?) (and) (.+) are next-door neighbors$/.exec(text) ??
      /^(.+?) (is) (.+)$/.exec(text);
    const [one, other] = [person(pair![1]!), person(pair![3]!)];
    return (houses) => {
      const distance = other(houses) - one(houses);
      if (pair![2] === "is") return distance === 0;
      return pair![2] === "and" ? Math.abs(distance) === 1 : distance === 1;
    };
  });
}

function permutations<Item>(items: readonly Item[]): Item[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]));
}

/** All ways to give the values to the houses. */
function allHouses(values: Readonly<Record<string, readonly Value[]>>): House[][] {
  return Object.entries(values).reduce<House[][]>(
    (all, [attribute, list]) =>
      all.flatMap((houses) => permutations(list).map((order) => order.map((value, i) => ({ ...houses[i], [attribute]: value })))),
    [[]],
  );
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const { solution, values } = row.metadata as unknown as { solution: Record<string, House>; values: Record<string, Value[]> };
    const houses = Object.values(solution).map((house) => ({ ...house }));
    const kind = random.next();
    const attributes = Object.keys(values);
    const attribute = attributes[Math.floor(random.next() * attributes.length)]!;
    const [i, j] = [Math.floor(random.next() * houses.length), Math.floor(random.next() * houses.length)];
    if (kind < 0.5) [houses[i]![attribute], houses[j]![attribute]] = [houses[j]![attribute]!, houses[i]![attribute]!];
    else if (kind < 0.6) houses[i]![attribute] = houses[j]![attribute]!;
    else if (kind < 0.65) delete houses[i]![attribute];
    else if (kind < 0.7) houses[i]![attribute] = String(houses[i]![attribute]);
    const complete = Object.entries(values).every(([name, list]) => list.every((value) => houses.some((house) => house[name] === value)));
    const right = complete && tests(row.question).every((holds) => holds(houses));
    const object = Object.fromEntries(houses.map((house, k) => [`House ${k + 1}`, house]));
    return { text: `\`\`\`json\n${JSON.stringify(object, undefined, random.next() < 0.5 ? 2 : undefined)}\n\`\`\``, right };
  },
  solutions(row) {
    const { values } = row.metadata as unknown as { values: Record<string, Value[]> };
    const clues = tests(row.question);
    return allHouses(values).filter((houses) => clues.every((holds) => holds(houses))).length;
  },
};

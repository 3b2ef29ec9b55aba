import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

/** Directions as points of the plane, so that the lattices need no coordinates of their own. */
const PLANE: Record<string, Record<string, readonly [number, number]>> = {
  straight: { up: [0, 2], down: [0, -2], left: [-2, 0], right: [2, 0], 上: [0, 2], 下: [0, -2], 左: [-2, 0], 右: [2, 0] },
  slanted: {
    "up-left": [-1, 1],
    "up-right": [1, 1],
    "down-left": [-1, -1],
    "down-right": [1, -1],
    左上: [-1, 1],
    右上: [1, 1],
    左下: [-1, -1],
    右下: [1, -1],
  },
};

/** Reads the question sentence by sentence. Returns all items that are named and the one at the end of the walk. */
function read(question: string): { items: string[]; end: string } {
  const places = new Map<string, { frame: number; at: readonly [number, number] }>();
  let frame = 0;
  let at: readonly [number, number] = [0, 0];
  let shift: readonly [number, number] | undefined;
  let joint: readonly [number, number] | undefined;
  const [, story, last] = question.split("\n\n");
  const walk = (text: string) => {
    for (const [, steps, en, name, amount] of text.matchAll(/([0-9]+) steps? ([a-z-]+)|向(左上|右上|左下|右下|上|下|左|右)走([0-9]+)步/g)) {
      const [x, y] = (PLANE.slanted![en ?? name!] ?? PLANE.straight![en ?? name!])!;
      const count = Number(steps ?? amount);
      at = [at[0] + count * x, at[1] + count * y];
    }
  };
  for (const sentence of story!.split(/(?<=[.。])\s*/)) {
    if (/carries you|被带到|carried back|又被带回/.test(sentence)) [frame, at] = [1, [0, 0]];
    walk(sentence);
    const item = /see the ([a-z ]+?)(?: there)?\.|【(.+?)】/.exec(sentence);
    const name = item?.[1] ?? item?.[2];
    if (name === undefined) continue;
    const known = places.get(name);
    if (known && known.frame === 0 && frame === 1) [joint, shift] = [at, known.at];
    else if (!known) places.set(name, { frame, at });
  }
  walk(last!);
  const global = (one: { frame: number; at: readonly [number, number] }) =>
    one.frame === 0 ? one.at : [one.at[0] - joint![0] + shift![0], one.at[1] - joint![1] + shift![1]];
  const end = String(global({ frame, at }));
  const found = [...places].find(([, place]) => String(global(place)) === end);
  return { items: [...places.keys()], end: found![0] };
}

export const oracle: Oracle = {
  unique: true,
  candidate({ question }, random: Random) {
    const { items, end } = read(question);
    const given = random.next() < 0.3 ? end : items[Math.floor(random.next() * items.length)]!;
    return { text: `I see \\boxed{${given}}`, right: given === end };
  },
};

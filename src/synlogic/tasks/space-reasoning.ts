import { InputError } from "../../base/errors.js";
import { isObject } from "../../base/json.js";
import type { Random } from "../../base/random.js";
import { randomBoolean, randomChoice, randomInteger, shuffle } from "../../base/random-draws.js";
import type { SynlogicTask } from "../definition.js";
import { metadataError, metadataString, metadataValue } from "../metadata.js";
import { unquoted } from "../reading/bare.js";
import { boxes, lastBox } from "../reading/final-text.js";
import { accept, type Json, type Language, type Row, reject } from "../row.js";
import { THINGS } from "../vocabulary.js";
import { DIRECTIONS, type Direction, type Move, question, type Shape, type Stage } from "./space-reasoning-text.js";

type SpaceReasoning = {
  /** Length of a side of the lattice, in steps. */
  readonly n: number;
  /** Number of items on the first walk. */
  readonly num_waypoints: number;
  /** Maximum number of nodes without a name on the last walk. */
  readonly unknown_node_num: number;
  readonly jump_ratio: number;
};

type Node = readonly [row: number, column: number];

const SHAPES = ["square", "triangle", "diamond"] as const;
/** Returns the name of a shape in the published metadata. */
const published = (shape: Shape) => `build_${shape}_network`;

const key = (node: Node) => node.join();
const after = ([row, column]: Node, { step }: Direction, steps = 1): Node => [row + steps * step[0], column + steps * step[1]];

function nodesOf(shape: Shape, n: number): Node[] {
  const square = Array.from({ length: (n + 1) ** 2 }, (_, i): Node => [Math.floor(i / (n + 1)), i % (n + 1)]);
  if (shape === "square") return square;
  if (shape === "triangle") return square.filter(([row, column]) => column <= row);
  // The diamond is a square lattice turned by 45 degrees.
  return square.map(([a, b]): Node => [a + b, a - b]);
}

class Lattice {
  readonly nodes: readonly Node[];
  private readonly keys: ReadonlySet<string>;

  constructor(
    readonly shape: Shape,
    n: number,
  ) {
    this.nodes = nodesOf(shape, n);
    this.keys = new Set(this.nodes.map(key));
  }

  /** Draws one of the shortest ways between two nodes. */
  drawWay(random: Random, from: Node, to: Node, language: Language): Move[] {
    const distance = this.distancesTo(to);
    const moves: [string, number][] = [];
    for (let at = from; distance.get(key(at))! > 0; ) {
      const direction = randomChoice(
        random,
        DIRECTIONS[this.shape].filter((one) => distance.get(key(after(at, one))) === distance.get(key(at))! - 1),
      );
      at = after(at, direction);
      const name = direction.name[language];
      const previous = moves.at(-1);
      if (previous?.[0] === name) previous[1]++;
      else moves.push([name, 1]);
    }
    return moves;
  }

  private distancesTo(to: Node): ReadonlyMap<string, number> {
    const distance = new Map([[key(to), 0]]);
    const queue = [to];
    for (const node of queue) {
      for (const direction of DIRECTIONS[this.shape]) {
        const next = after(node, direction);
        if (!this.keys.has(key(next)) || distance.has(key(next))) continue;
        distance.set(key(next), distance.get(key(node))! + 1);
        queue.push(next);
      }
    }
    return distance;
  }
}

/** Follows moves from a node. Returns undefined if a direction is unknown. */
function follow(shape: Shape, from: Node, moves: readonly Move[], language: Language): Node | undefined {
  let at: Node = from;
  for (const [name, steps] of moves) {
    const direction = DIRECTIONS[shape].find((one) => one.name[language] === name);
    if (!direction) return undefined;
    at = after(at, direction, steps);
  }
  return at;
}

/**
 * Finds the item at the end of the last moves. Returns undefined if no item is known there.
 *
 * Coordinates after a jump are relative to an unknown position. They are aligned with the earlier ones by an item that occurs in both
 * parts.
 */
function itemAtEnd(shape: Shape, stages: readonly Stage[], last: readonly Move[], language: Language): string | undefined {
  const frames: Map<string, Node>[] = [new Map(), new Map()];
  let frame = 0;
  let at: Node = [0, 0];
  for (const { begin, moves, item } of stages) {
    if (begin === "jump" || begin === "return") [frame, at] = [1, [0, 0]];
    const next = follow(shape, at, moves, language);
    if (!next) return undefined;
    at = next;
    if (item !== undefined) frames[frame]!.set(item, at);
  }
  const end = follow(shape, at, last, language);
  if (!end) return undefined;
  const [here, there] = [frames[frame]!, frames[1 - frame]!];
  const joint = [...here].find(([item]) => there.has(item));
  const shift = joint ? joint[1].map((value, i) => value - there.get(joint[0])![i]!) : undefined;
  const moved = shift ? [...there].map(([item, [row, column]]) => [item, [row + shift[0]!, column + shift[1]!]] as const) : [];
  return [...here, ...moved].find(([, node]) => key(node) === key(end))?.[0];
}

const isMoves = (x: Json | undefined): boolean =>
  Array.isArray(x) && x.every((move) => Array.isArray(move) && typeof move[0] === "string" && Number.isSafeInteger(move[1]));

/** Solves a row of this generator, whose metadata contains the walk. Returns undefined for published rows. */
function solved(row: Row): string | undefined {
  if (row.metadata?.walk === undefined) return undefined;
  const shape = SHAPES.find((one) => published(one) === metadataString(row, "shape"));
  if (!shape) throw metadataError(row, "shape", SHAPES.map(published).join(" or "));
  const isWalk = (x: Json): x is Json & readonly Stage[] =>
    Array.isArray(x) && x.every((stage) => isObject(stage) && isMoves(stage.moves as Json));
  const walk = metadataValue(row, "walk", "a list of stages with moves", isWalk);
  const last = metadataValue(row, "last_moves", "a list of moves", (x): x is Json & readonly Move[] => isMoves(x));
  return itemAtEnd(shape, walk, last, metadataString(row, "language") === "en" ? "en" : "zh");
}

/** Returns the answer stored in the row. It is trusted, because the stored answers of the published rows are right. */
function storedItem(row: Row): string {
  if (typeof row.answer === "string" && row.answer.trim() !== "") return row.answer.trim();
  throw new InputError(`${row.task}: row: answer: expected the name of an item, got ${JSON.stringify(row.answer)}`);
}

const normal = (name: string) => unquoted(name).replace(/\s+/g, " ").trim().toLowerCase();

/** Keep track of the positions of items on a lattice. */
export const spaceReasoning: SynlogicTask<SpaceReasoning> = {
  name: "space_reasoning",
  summary: "Follow a walk on a lattice and name the item at its end.",
  languages: ["en", "zh"],
  parameters: {
    n: { kind: "integer", least: 3, most: 20, meaning: "side of the lattice" },
    num_waypoints: { kind: "integer", least: 3, most: 12, meaning: "items seen on the first walk" },
    unknown_node_num: { kind: "integer", least: 0, most: 10, meaning: "most unnamed nodes on the last walk" },
    jump_ratio: { kind: "number", least: 0, most: 1, meaning: "share of puzzles with a jump to an unknown node" },
  },
  levels: {
    tiny: { n: 3, num_waypoints: 3, unknown_node_num: 0, jump_ratio: 0 },
    easy: { n: 8, num_waypoints: 3, unknown_node_num: 1, jump_ratio: 0.5 },
    medium: { n: 8, num_waypoints: 5, unknown_node_num: 3, jump_ratio: 0.5 },
    hard: { n: 8, num_waypoints: 10, unknown_node_num: 5, jump_ratio: 0.5 },
  },
  attributes: ["num_waypoints", "unknown_node_num", "n", "jump_ratio"],
  generate(random, { n, num_waypoints, unknown_node_num, jump_ratio }, language) {
    const shape = randomChoice(random, SHAPES);
    const lattice = new Lattice(shape, n);
    const names = shuffle(random, THINGS[language]);
    const unnamed = shuffle(random, lattice.nodes);
    const named: { node: Node; item: string }[] = [];
    const take = () => {
      const place = { node: unnamed.pop()!, item: names.pop()! };
      named.push(place);
      return place;
    };
    const waypoints = Array.from({ length: num_waypoints }, take);
    const way = (from: Node, to: Node) => lattice.drawWay(random, from, to, language);
    const stages: Stage[] = waypoints.map(({ node, item }, i) =>
      i === 0 ? { begin: "start", moves: [], item } : { begin: "walk", moves: way(waypoints[i - 1]!.node, node), item },
    );
    let at = waypoints.at(-1)!.node;
    if (randomBoolean(random, jump_ratio)) {
      // One end of the second walk is an item that was already seen.
      const [from, to] = shuffle(random, [randomChoice(random, waypoints), take()]) as [(typeof named)[0], (typeof named)[0]];
      stages.push({ begin: "jump", moves: [], item: from.item }, { begin: "walk", moves: way(from.node, to.node), item: to.item });
      at = to.node;
      if (randomBoolean(random)) {
        stages.push({ begin: "return", moves: [] });
        at = from.node;
      }
    }
    const target = randomChoice(random, named);
    const stops = unnamed.slice(0, randomInteger(random, Math.min(1, unknown_node_num), unknown_node_num));
    // If the walk ends where it begins, it needs a stop on the way. Otherwise it would be empty.
    if (key(at) === key(target.node) && stops.length === 0) stops.push(unnamed[0]!);
    const route = [at, ...stops, target.node];
    const last = joined(route.slice(1).flatMap((to, i) => way(route[i]!, to)));
    return {
      question: question(shape, n, stages, last, language),
      answer: target.item,
      metadata: {
        shape: published(shape),
        language: language === "zh" ? "cn" : "en",
        num_waypoints,
        unknown_node_num,
        n,
        walk: stages.map(({ begin, moves, item }) => ({ begin, moves, ...(item !== undefined && { item }) })),
        last_moves: last,
      },
    };
  },
  solve(row) {
    return `\\boxed{${solved(row) ?? storedItem(row)}}`;
  },
  verify(row, text) {
    const expected = storedItem(row);
    const found = lastBox(text);
    if (found === undefined) return reject("there is no complete \\boxed{} after the reasoning");
    return normal(found) === normal(expected) ? accept(found, "the item is right") : reject("another item lies there", found);
  },
  guess(row, random) {
    const walk = row.metadata?.walk;
    const items = Array.isArray(walk) ? walk.flatMap(({ item }: Stage) => item ?? []) : ["unknown"];
    return `\\boxed{${randomChoice(random, [...new Set(items)])}}`;
  },
  published: (row, response) => (boxes(response).at(-1) ?? "").trim().toLowerCase() === storedItem(row).toLowerCase(),
};

/** Combines consecutive moves in the same direction. */
function joined(moves: readonly Move[]): Move[] {
  const result: [string, number][] = [];
  for (const [name, steps] of moves) {
    const previous = result.at(-1);
    if (previous?.[0] === name) previous[1] += steps;
    else result.push([name, steps]);
  }
  return result;
}

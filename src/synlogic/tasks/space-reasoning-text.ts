import type { Language } from "../row.js";

export type Shape = "square" | "triangle" | "diamond";

/** A direction, and the change of the coordinates (row, column) for one step. */
export interface Direction {
  readonly name: Readonly<Record<Language, string>>;
  readonly step: readonly [rows: number, columns: number];
}

const direction = (en: string, zh: string, rows: number, columns: number): Direction => ({ name: { en, zh }, step: [rows, columns] });

/** The directions of each lattice. */
export const DIRECTIONS: Readonly<Record<Shape, readonly Direction[]>> = {
  square: [direction("up", "上", -1, 0), direction("down", "下", 1, 0), direction("left", "左", 0, -1), direction("right", "右", 0, 1)],
  // Row k has k nodes. The node in column c lies above the nodes in columns c and c + 1 of the next row.
  triangle: [
    direction("down-left", "左下", 1, 0),
    direction("down-right", "右下", 1, 1),
    direction("up-left", "左上", -1, -1),
    direction("up-right", "右上", -1, 0),
    direction("left", "左", 0, -1),
    direction("right", "右", 0, 1),
  ],
  diamond: [
    direction("down-left", "左下", 1, -1),
    direction("down-right", "右下", 1, 1),
    direction("up-left", "左上", -1, -1),
    direction("up-right", "右上", -1, 1),
  ],
};

const LATTICES: Readonly<Record<Language, Readonly<Record<Shape, (n: number) => string>>>> = {
  en: {
    square: (n) => `a grid of ${n} by ${n} squares. Its nodes are the corners of the squares`,
    triangle: (n) =>
      `a triangular grid with one node in the top row, two in the second row and so on, ${n + 1} rows in all. Each node lies above the gap between two neighboring nodes of the next row; a step down-left or down-right leads to them`,
    diamond: (n) =>
      `a grid of ${n} by ${n} diamonds, that is, a square grid that stands on one corner. Its nodes are the corners of the diamonds, and all its edges run diagonally`,
  },
  zh: {
    square: (n) => `一个 ${n} 乘 ${n} 的正方形网格，节点就是各个正方形的顶点`,
    triangle: (n) =>
      `一个三角形网格，最上面一行有一个节点，第二行有两个，依此类推，共 ${n + 1} 行。每个节点位于下一行两个相邻节点之间的上方，它们就是它的左下和右下邻点`,
    diamond: (n) => `一个 ${n} 乘 ${n} 的菱形网格，也就是以一角立起的正方形网格。节点就是各个菱形的顶点，所有的边都是斜的`,
  },
};

/** A number of steps in one direction. */
export type Move = readonly [direction: string, steps: number];

/** A part of a walk. After `jump`, the position is unknown. `return` goes back to where the jump ended. */
export interface Stage {
  readonly begin: "start" | "walk" | "jump" | "return";
  readonly moves: readonly Move[];
  /** The item at the end of the moves, if there is one. */
  readonly item?: string;
}

export function writeMoves(moves: readonly Move[], language: Language): string {
  if (language === "zh") return moves.map(([name, steps]) => `向${name}走${steps}步`).join("，再");
  return moves.map(([name, steps]) => `${steps} ${steps === 1 ? "step" : "steps"} ${name}`).join(", then ");
}

function writeStage({ begin, moves, item }: Stage, language: Language): string {
  const walked = writeMoves(moves, language);
  if (language === "zh") {
    switch (begin) {
      case "start":
        return `你从某个节点出发，那里的物品是【${item}】。`;
      case "walk":
        return `接着${walked}，看到【${item}】。`;
      case "jump":
        return `然后你被带到一个位置不明的节点，看到【${item}】。`;
      case "return":
        return "然后你又被带回到刚才那个位置不明的节点。";
    }
  }
  switch (begin) {
    case "start":
      return `You start at some node and see the ${item} there.`;
    case "walk":
      return `You go ${walked}, and see the ${item}.`;
    case "jump":
      return `Then somebody carries you to a node without telling you where it is. You see the ${item} there.`;
    case "return":
      return "Then you are carried back to the node to which you were carried before.";
  }
}

export function question(shape: Shape, n: number, stages: readonly Stage[], last: readonly Move[], language: Language): string {
  const walk = stages.map((stage) => writeStage(stage, language));
  if (language === "zh") {
    return `你走在${LATTICES.zh[shape](n)}。每个节点上有一件物品，没有两件相同。每一步都沿着一条边走到相邻的节点。

${walk.join("")}

问题：从现在的位置出发，${writeMoves(last, "zh")}。你在那里会看到什么物品？

请把物品名称放在 \\boxed{} 中，须与上文完全一致。`;
  }
  return `You walk on ${LATTICES.en[shape](n)}. At every node there is one item, and no two items are the same. Each step leads along an edge to a neighboring node.

${walk.join(" ")}

Question: From where you are now, you go ${writeMoves(last, "en")}. Which item do you see there?

Put the name of the item into \\boxed{}, spelled as above.`;
}

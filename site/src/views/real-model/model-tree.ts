// The tensors of a model as a tree: equal layers are folded into ranges, and the matrices of a layer are grouped by their purpose.

import type { Block, Graph, GraphTensor } from "lightning-m1";

export type NodeKind = "model" | "range" | "layer" | "part" | "expert" | "tensor";

export interface TreeNode {
  /** Identifies the node in the address: `layers.0-6`, `layers.3`, `layers.3.expert`, `layers.3.expert.5`, or a tensor's full name. */
  readonly id: string;
  readonly kind: NodeKind;
  readonly label: string;
  readonly parent: TreeNode | undefined;
  readonly children: readonly TreeNode[];
  /** The tensor, if the node is one. */
  readonly tensor: GraphTensor | undefined;
  /** The common block of all tensors below, if they have one. */
  readonly block: Block | undefined;
  /** The first layer below. Undefined for tensors that belong to no layer. */
  readonly layer: number | undefined;
  readonly tensors: number;
  readonly parameters: number;
  /** Parameters that one token uses. Embedding and head count as 0, as in published counts. */
  readonly active: number;
  readonly bytes: number;
  /** The stored dtypes below. */
  readonly dtypes: readonly string[];
}

const PART_LABELS: Readonly<Record<Block, string>> = {
  embedding: "Embedding",
  lightning: "Lightning attention",
  softmax: "Softmax attention",
  norm: "Norms",
  router: "Router",
  expert: "Experts",
  mlp: "MLP",
  shared: "Shared expert",
  head: "Head",
};

/** The order of the parts within a layer. */
const PARTS: readonly Block[] = ["norm", "lightning", "softmax", "router", "expert", "mlp", "shared"];

export const sizeOf = (tensor: GraphTensor): number => tensor.shape.reduce((product, dim) => product * dim, 1);

/** Builds the tree of a model. */
export function modelTree(graph: Graph, name: string): TreeNode {
  const { config, tensors } = graph;
  const { attnTypeList, numExpertsPerTok, numLocalExperts } = config;
  const byLayer: GraphTensor[][] = attnTypeList.map(() => []);
  for (const tensor of tensors) if (tensor.layer !== undefined) byLayer[tensor.layer]!.push(tensor);

  const activeOf = (tensor: GraphTensor) => {
    if (tensor.block === "embedding" || tensor.block === "head") return 0;
    return tensor.block === "expert" ? (sizeOf(tensor) * numExpertsPerTok) / numLocalExperts : sizeOf(tensor);
  };
  const tensorNode = (tensor: GraphTensor, label: string): TreeNode => ({
    id: tensor.name,
    kind: "tensor",
    label,
    parent: undefined,
    children: [],
    tensor,
    block: tensor.block,
    layer: tensor.layer,
    tensors: 1,
    parameters: sizeOf(tensor),
    active: activeOf(tensor),
    bytes: tensor.bytes,
    dtypes: [tensor.dtype],
  });

  const expertNodes = (layer: number, ofExperts: readonly GraphTensor[]) => {
    const byExpert: TreeNode[][] = Array.from({ length: numLocalExperts }, () => []);
    for (const tensor of ofExperts) byExpert[tensor.expert!]!.push(tensorNode(tensor, lastPart(tensor.name)));
    return byExpert.map((children, expert) => inner("expert", `layers.${layer}.expert.${expert}`, `Expert ${expert}`, children));
  };
  const layerNode = (layer: number) => {
    const parts = PARTS.flatMap((block) => {
      const own = byLayer[layer]!.filter((tensor) => tensor.block === block);
      if (own.length === 0) return [];
      const children = block === "expert" ? expertNodes(layer, own) : own.map((tensor) => tensorNode(tensor, lastPart(tensor.name)));
      const label = block === "expert" ? `${numLocalExperts} experts, ${numExpertsPerTok} per token` : PART_LABELS[block];
      return [inner("part", `layers.${layer}.${block}`, label, children)];
    });
    return inner("layer", `layers.${layer}`, `Layer ${layer}: ${attentionName(attnTypeList[layer]!)}`, parts);
  };
  const layers = runs(attnTypeList).map(({ from, to }) => {
    const children = Array.from({ length: to - from + 1 }, (_, i) => layerNode(from + i));
    if (children.length === 1) return children[0]!;
    const label = `Layers ${from}–${to}: ${children.length} × ${attentionName(attnTypeList[from]!)}`;
    return inner("range", `layers.${from}-${to}`, label, children);
  });
  const outside = (block: Block, label: string) =>
    tensors.filter((tensor) => tensor.layer === undefined && tensor.block === block).map((tensor) => tensorNode(tensor, label));
  const root = inner("model", "model", name, [
    ...outside("embedding", PART_LABELS.embedding),
    ...layers,
    ...outside("norm", "Final norm"),
    ...outside("head", PART_LABELS.head),
  ]);
  setParents(root);
  return root;
}

const attentionName = (type: 0 | 1) => (type === 1 ? "softmax attention" : "lightning attention");

/** The part of a tensor's name that follows its layer: `self_attn.qkv_proj`, `w1`. */
const lastPart = (name: string) =>
  name
    .replace(/^model\.layers\.\d+\./, "")
    .replace(/^block_sparse_moe\.experts\.\d+\./, "")
    .replace(/\.weight$/, "");

function inner(kind: NodeKind, id: string, label: string, children: readonly TreeNode[]): TreeNode {
  const sum = (value: (node: TreeNode) => number) => children.reduce((total, child) => total + value(child), 0);
  const blocks = new Set(children.map(({ block }) => block));
  return {
    id,
    kind,
    label,
    parent: undefined,
    children,
    tensor: undefined,
    block: blocks.size === 1 ? [...blocks][0] : undefined,
    layer: kind === "model" ? undefined : children[0]?.layer,
    tensors: sum((child) => child.tensors),
    parameters: sum((child) => child.parameters),
    active: sum((child) => child.active),
    bytes: sum((child) => child.bytes),
    dtypes: [...new Set(children.flatMap((child) => child.dtypes))],
  };
}

function setParents(node: TreeNode): void {
  for (const child of node.children) {
    (child as { parent: TreeNode | undefined }).parent = node;
    setParents(child);
  }
}

/** Ranges of consecutive equal entries. */
function runs(types: readonly number[]): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (const [i, type] of types.entries()) {
    const last = found.at(-1);
    if (last && types[last.from] === type) last.to = i;
    else found.push({ from: i, to: i });
  }
  return found;
}

/** All nodes of a tree by their ids. */
export function nodesById(root: TreeNode): Map<string, TreeNode> {
  const nodes = new Map<string, TreeNode>();
  const visit = (node: TreeNode) => {
    nodes.set(node.id, node);
    node.children.forEach(visit);
  };
  visit(root);
  return nodes;
}

/** The tensors that match a search, counted for each node above them. */
export interface Search {
  /** The number of matching tensors below a node, or 1 for a matching tensor. Nodes without matches are missing. */
  readonly matches: ReadonlyMap<TreeNode, number>;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

/**
 * Finds the tensors that contain every word of a query in their name, shape, dtype or block: `q_proj`, `6144x9216`, `float32 router`.
 * `layer 7` and `expert 3` match exactly that layer and expert.
 */
export function searchTensors(root: TreeNode, query: string): Search | undefined {
  const words = query
    .toLowerCase()
    .replace(/\b(layer|expert)s?[\s.:]+(\d+)/g, " $1:$2; ")
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0) return undefined;
  const matches = new Map<TreeNode, number>();
  const total = { tensors: 0, parameters: 0, bytes: 0 };
  const visit = (node: TreeNode): number => {
    let found = 0;
    if (node.tensor) {
      const text = searchText(node.tensor);
      if (words.every((word) => text.includes(word))) {
        found = 1;
        total.tensors++;
        total.parameters += node.parameters;
        total.bytes += node.bytes;
      }
    } else {
      for (const child of node.children) found += visit(child);
    }
    if (found > 0) matches.set(node, found);
    return found;
  };
  visit(root);
  return { matches, ...total };
}

const DTYPE_NAMES: Readonly<Record<string, string>> = { bf16: "bfloat16", f16: "float16", f32: "float32" };

export const dtypeName = (dtype: string): string => DTYPE_NAMES[dtype] ?? dtype;

function searchText({ name, shape, dtype, block, layer, expert }: GraphTensor): string {
  const place = `${layer === undefined ? "" : ` layer:${layer};`}${expert === undefined ? "" : ` expert:${expert};`}`;
  const shapes = `${shape.join("x")} ${shape.join("×")} ${shape.join(" ")}`;
  return `${name} ${shapes} ${dtype} ${dtypeName(dtype)} ${PART_LABELS[block]}${place}`.toLowerCase();
}

/** A row of the tree that is shown. Levels and positions count from 1. */
export interface VisibleRow {
  readonly node: TreeNode;
  readonly level: number;
  readonly position: number;
  readonly siblings: number;
  readonly open: boolean;
}

/** The rows of a tree whose open nodes are known. With a search, only nodes with matches are shown. */
export function visibleRows(root: TreeNode, open: ReadonlySet<string>, search?: Search): VisibleRow[] {
  const rows: VisibleRow[] = [];
  const visit = (nodes: readonly TreeNode[], level: number) => {
    const shown = search ? nodes.filter((node) => search.matches.has(node)) : nodes;
    for (const [i, node] of shown.entries()) {
      const isOpen = node.children.length > 0 && open.has(node.id);
      rows.push({ node, level, position: i + 1, siblings: shown.length, open: isOpen });
      if (isOpen) visit(node.children, level + 1);
    }
  };
  visit([root], 1);
  return rows;
}

/** The nodes to open after a search: level by level, as long as at most `maxRows` rows are shown. */
export function openForSearch(root: TreeNode, search: Search, maxRows = 80): Set<string> {
  const open = new Set<string>();
  let rows = 1;
  let level = search.matches.has(root) ? [root] : [];
  while (level.length > 0) {
    const next = level.flatMap((node) => node.children.filter((child) => search.matches.has(child)));
    if (rows + next.length > maxRows) break;
    for (const node of level) if (node.children.length > 0) open.add(node.id);
    rows += next.length;
    level = next;
  }
  return open;
}

/** The ids of all nodes above a node. */
export function ancestors(node: TreeNode): string[] {
  return node.parent ? [...ancestors(node.parent), node.parent.id] : [];
}

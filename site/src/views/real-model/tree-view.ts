// `<m1-model-tree>`: all tensors of a model as a tree with columns, by the pattern of a treegrid.

import { decaySlopes } from "lightning-m1";
import { button, textInput } from "../../shared/controls.ts";
import { element } from "../../shared/dom.ts";
import { formatBytes, formatCount, formatInteger, formatNumber } from "../../shared/numbers.ts";
import { textField, UrlState } from "../../shared/state.ts";
import { type ChosenModel, onModel } from "./chosen-model.ts";
import {
  ancestors,
  dtypeName,
  modelTree,
  nodesById,
  openForSearch,
  type Search,
  searchTensors,
  type TreeNode,
  type VisibleRow,
  visibleRows,
} from "./model-tree.ts";
import { purposeOf } from "./purposes.ts";

interface State {
  readonly node: string;
  readonly q: string;
}

/** Rows that are drawn at once. More are drawn only if someone opens hundreds of nodes. */
const MAX_ROWS = 2000;
const COLUMNS = ["Part", "Shape", "Dtype", "Parameters", "Active", "Bytes"] as const;

class ModelTree extends HTMLElement {
  private started = false;
  private model!: ChosenModel;
  private root!: TreeNode;
  private nodes!: Map<string, TreeNode>;
  /** Open nodes without a search, and those of the current search. */
  private open = new Set<string>();
  private searchOpen = new Set<string>();
  private search: Search | undefined;
  private query = "";
  private rows: VisibleRow[] = [];
  private readonly body = element("tbody");
  private readonly found = element("p", { class: "tree-found", "aria-live": "polite" });
  private readonly details = element("section", { class: "tree-details", "aria-label": "Selected part" });
  private state!: UrlState<State>;

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    this.state = new UrlState<State>({ node: textField("model", { maxLength: 200 }), q: textField("", { maxLength: 200 }) });
    const query = textInput({
      label: "Search tensors",
      hint: "for example: q_proj · layer 7 · expert 3 w1 · router",
      inputMode: "search",
      onInput: (q) => this.state.set({ q }),
    });
    const head = element("tr", {}, ...COLUMNS.map((name) => element("th", { scope: "col" }, name)));
    const table = element("table", { role: "treegrid", "aria-label": "Tensors of the model" }, element("thead", {}, head), this.body);
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
    const fold = button("Fold all", () => {
      this.currentOpen().clear();
      this.currentOpen().add(this.root.id);
      this.state.set({ node: this.root.id });
    });
    this.classList.add("not-content", "view");
    const controls = element("div", { class: "view-controls" }, query.element, fold);
    this.append(
      controls,
      this.found,
      element("div", { class: "tree-panes" }, element("div", { class: "tree-scroll" }, table), this.details),
    );

    onModel((model) => {
      this.model = model;
      this.root = modelTree(model.graph, model.name);
      this.nodes = nodesById(this.root);
      this.open = new Set([this.root.id]);
      this.query = "";
      this.search = undefined;
      this.openSelected();
      this.update(this.state.value);
    });
    this.state.subscribe((values) => {
      query.show(values.q);
      this.update(values);
    });
  }

  private currentOpen(): Set<string> {
    return this.search ? this.searchOpen : this.open;
  }

  private selected(): TreeNode {
    return this.nodes.get(this.state.value.node) ?? this.root;
  }

  private openSelected(): void {
    for (const id of ancestors(this.selected())) this.currentOpen().add(id);
  }

  private update({ q }: State): void {
    if (q !== this.query) {
      this.query = q;
      this.search = searchTensors(this.root, q);
      this.searchOpen = this.search ? openForSearch(this.root, this.search) : new Set();
      if (!this.search) this.openSelected();
    }
    this.found.textContent = this.search ? this.describeFound(this.search) : "";
    this.draw();
  }

  private describeFound({ tensors, parameters, bytes }: Search): string {
    if (tensors === 0) return "No tensor has all words of the search in its path, shape or dtype.";
    const [matching, all] = [formatInteger(tensors), formatInteger(this.root.tensors)];
    return `${matching} of ${all} tensors match, with ${formatInteger(parameters)} parameters and ${formatBytes(bytes)}.`;
  }

  private draw(): void {
    const hadFocus = this.body.contains(document.activeElement);
    this.rows = this.search && this.search.tensors === 0 ? [] : visibleRows(this.root, this.currentOpen(), this.search).slice(0, MAX_ROWS);
    const selected = this.selected();
    const current = this.rows.some(({ node }) => node === selected) ? selected : this.rows[0]?.node;
    const made = this.rows.map((row) => this.row(row, row.node === current));
    this.body.replaceChildren(...made);
    if (hadFocus) made[this.rows.findIndex(({ node }) => node === current)]?.focus({ preventScroll: false });
    this.describe(selected);
  }

  private row({ node, level, position, siblings, open }: VisibleRow, isCurrent: boolean): HTMLTableRowElement {
    const hasChildren = node.children.length > 0;
    const matches = this.search && hasChildren ? this.search.matches.get(node) : undefined;
    const name = element("td", { role: "gridcell" });
    name.style.setProperty("--level", String(level - 1));
    name.append(
      element("span", { class: hasChildren ? "tree-toggle" : "tree-leaf", "aria-hidden": "true" }, hasChildren ? (open ? "▾" : "▸") : ""),
      element(
        "span",
        { class: "tree-name" },
        node.label,
        ...(matches ? [element("small", {}, ` ${formatInteger(matches)} ${matches === 1 ? "match" : "matches"}`)] : []),
      ),
    );
    const cells = [
      node.tensor ? node.tensor.shape.map(formatInteger).join(" × ") : `${formatInteger(node.tensors)} tensors`,
      node.dtypes.join(", "),
      formatCount(node.parameters),
      usedText(node, formatCount),
      formatBytes(node.bytes),
    ];
    return element(
      "tr",
      {
        role: "row",
        "aria-level": level,
        "aria-posinset": position,
        "aria-setsize": siblings,
        "aria-expanded": hasChildren ? String(open) : undefined,
        "aria-selected": String(isCurrent),
        tabindex: isCurrent ? 0 : -1,
        "data-node": node.id,
      },
      name,
      ...cells.map((text) => element("td", { role: "gridcell" }, text)),
    );
  }

  private describe(node: TreeNode): void {
    const facts: [string, string][] = [
      ...(node.tensor ? ([["Name", node.tensor.name]] as [string, string][]) : []),
      ...(node.tensor ? ([["Shape", node.tensor.shape.map(formatInteger).join(" × ")]] as [string, string][]) : []),
      ["Tensors", formatInteger(node.tensors)],
      [
        "Parameters",
        `${formatInteger(node.parameters)} (${formatNumber((100 * node.parameters) / this.root.parameters, 3)} % of the model)`,
      ],
      ["Active: used by a token", usedText(node, formatInteger)],
      ["Bytes", formatInteger(node.bytes)],
      ["Dtype, as stored", node.dtypes.map(dtypeName).join(", ")],
      ...this.halfLives(node),
    ];
    const path = [...ancestors(node), node.id].map((id) => this.nodes.get(id)!.label);
    const list = element("dl", {}, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
    this.details.replaceChildren(
      element("p", { class: "tree-path" }, path.join(" › ")),
      element("p", {}, purposeOf(node, this.model.graph.config)),
      list,
    );
  }

  /** The half-lives of the heads of a lightning layer: a head's state forgets half of what it holds in ln 2 / slope tokens. */
  private halfLives(node: TreeNode): [string, string][] {
    const { config } = this.model.graph;
    if (node.layer === undefined || node.kind === "range" || node.kind === "expert" || node.kind === "tensor") return [];
    if (config.attnTypeList[node.layer] !== 0 || (node.kind === "part" && node.block !== "lightning")) return [];
    const lives = [...decaySlopes(config, node.layer)].map((slope) => Math.LN2 / slope);
    const [least, most] = [Math.min(...lives), Math.max(...lives)];
    return [["Half-lives of its heads", `${formatNumber(least, 3)} to ${formatNumber(most, 3)} tokens`]];
  }

  private toggle(node: TreeNode, open = !this.currentOpen().has(node.id)): void {
    if (open) this.currentOpen().add(node.id);
    else this.currentOpen().delete(node.id);
  }

  private select(node: TreeNode | undefined): void {
    if (node) this.state.set({ node: node.id });
  }

  private onClick(event: MouseEvent): void {
    const id = (event.target as Element).closest<HTMLElement>("[data-node]")?.dataset.node;
    const node = id === undefined ? undefined : this.nodes.get(id);
    if (!node) return;
    this.toggle(node);
    this.select(node);
    this.body.querySelector<HTMLElement>("[tabindex='0']")?.focus();
  }

  private onKey(event: KeyboardEvent): void {
    const index = this.rows.findIndex(({ node }) => node.id === (event.target as HTMLElement).dataset.node);
    const row = this.rows[index];
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const { node, open } = row;
    const parentRow = this.rows.find((other) => other.node === node.parent);
    let target: TreeNode | undefined = node;
    if (event.key === "ArrowDown") target = this.rows[index + 1]?.node;
    else if (event.key === "ArrowUp") target = this.rows[index - 1]?.node;
    else if (event.key === "Home") target = this.rows[0]?.node;
    else if (event.key === "End") target = this.rows.at(-1)?.node;
    else if (event.key === "ArrowRight" && open) target = this.rows[index + 1]?.node;
    else if (event.key === "ArrowRight" && node.children.length > 0) this.toggle(node, true);
    else if (event.key === "ArrowLeft" && open) this.toggle(node, false);
    else if (event.key === "ArrowLeft") target = parentRow?.node;
    else if ((event.key === "Enter" || event.key === " ") && node.children.length > 0) this.toggle(node);
    else return;
    event.preventDefault();
    this.select(target);
  }
}

/** What a token uses of a node. Published counts leave out embedding and head; a single expert is used only if the router chooses it. */
function usedText(node: TreeNode, format: (value: number) => string): string {
  if (node.block === "embedding" || node.block === "head") return "not counted";
  if (node.kind === "expert" || (node.kind === "tensor" && node.block === "expert")) return "if chosen";
  return format(node.active);
}

customElements.define("m1-model-tree", ModelTree);

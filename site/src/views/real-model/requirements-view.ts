// `<m1-requirements>`: memory, operations and GPUs that a model needs for a context and a number of users.

import type { Graph } from "lightning-m1";
import { gpus, tensorParallelSizes, type WeightScheme } from "lightning-m1/analysis";
import { radios, select, textInput } from "../../shared/controls.ts";
import { element } from "../../shared/dom.ts";
import { formatBytes, formatInteger, formatNumber } from "../../shared/numbers.ts";
import { counted } from "../../shared/sentences.ts";
import { choiceField, textField, UrlState } from "../../shared/state.ts";
import { parseAmount } from "./amounts.ts";
import { type ChosenModel, onModel } from "./chosen-model.ts";
import { deploymentText } from "./deployment-text.ts";
import { memoryFigure } from "./memory-figure.ts";
import { type Costs, type Demand, type GpuCount, requirements } from "./requirements.ts";

interface State {
  readonly context: string;
  readonly users: string;
  readonly weights: WeightScheme;
  readonly kv: Demand["kv"];
  readonly gpu: string;
  readonly perNode: string;
  readonly nodes: string;
}

const WEIGHTS: readonly { value: WeightScheme; label: string }[] = [
  { value: "experts_int8", label: "experts in int8, the rest in bfloat16" },
  { value: "fp8", label: "fp8" },
  { value: "bf16", label: "bfloat16" },
  { value: "f32", label: "float32" },
];

/** The texts with whole numbers, and what they may be. */
const AMOUNTS = {
  context: { label: "Tokens per user", unit: "token", max: 1e9, example: "200k, 1M or 128Ki" },
  users: { label: "Users at the same time", unit: "user", max: 100_000, example: "8 or 2k" },
  perNode: { label: "GPUs per server", unit: "GPU", max: 64, example: "8" },
  nodes: { label: "Servers", unit: "server", max: 10_000, example: "4" },
} as const;
type AmountName = keyof typeof AMOUNTS;
const amountNames = Object.keys(AMOUNTS) as AmountName[];

const PLAN_DELAY_MS = 150;

class RequirementsView extends HTMLElement {
  private started = false;
  private model!: ChosenModel;
  private state!: UrlState<State>;
  private readonly reading = element("p", { class: "view-reading", "aria-live": "polite" });
  private readonly table = element("table");
  private readonly gpuNote = element("p", { class: "gpu-note" });
  private readonly figure = element("m1-figure");
  /** What depends on valid numbers of tokens and users. */
  private readonly results = element("div");
  private readonly plan = element("div", { class: "plan", "aria-live": "polite" });
  private planTimer: number | undefined;

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    this.state = new UrlState<State>({
      context: textField("128Ki", { maxLength: 30 }),
      users: textField("1", { maxLength: 30 }),
      weights: choiceField<WeightScheme>(
        "experts_int8",
        WEIGHTS.map(({ value }) => value),
      ),
      kv: choiceField<Demand["kv"]>("bf16", ["bf16", "fp8"]),
      gpu: choiceField(
        "H800",
        gpus.map(({ name }) => name),
      ),
      perNode: textField("8", { maxLength: 30 }),
      nodes: textField("1", { maxLength: 30 }),
    });
    const { state } = this;
    const amounts = Object.fromEntries(
      amountNames.map((name) => [
        name,
        textInput({ label: AMOUNTS[name].label, hint: AMOUNTS[name].example, onInput: (text) => state.set({ [name]: text }) }),
      ]),
    ) as Record<AmountName, ReturnType<typeof textInput>>;
    const weights = select<WeightScheme>({ label: "Weights", choices: WEIGHTS, onInput: (value) => state.set({ weights: value }) });
    const kv = radios<Demand["kv"]>({
      label: "Keys and values",
      choices: [
        { value: "bf16", label: "bfloat16" },
        { value: "fp8", label: "fp8" },
      ],
      onInput: (value) => state.set({ kv: value }),
    });
    const gpu = select({
      label: "GPU",
      choices: gpus.map(({ name, memoryMiB }) => ({ value: name, label: `${name} (${formatNumber(memoryMiB / 1024, 3)} GiB)` })),
      onInput: (value) => state.set({ gpu: value }),
    });
    const demand = element("div", { class: "view-controls" }, amounts.context.element, amounts.users.element, weights.element, kv.element);
    const servers = element("div", { class: "view-controls" }, gpu.element, amounts.perNode.element, amounts.nodes.element);
    const scroll = element(
      "div",
      { class: "table-scroll", role: "region", tabindex: 0, "aria-label": "Memory and operations" },
      this.table,
    );
    this.classList.add("not-content", "view");
    this.results.append(scroll, this.gpuNote, this.figure);
    this.append(demand, this.reading, this.results, element("h3", {}, "A deployment with vLLM"), servers, this.plan);

    const update = () => {
      const values = state.value;
      for (const name of amountNames) {
        amounts[name].show(values[name]);
        const { text, isValid } = this.understood(name);
        amounts[name].remark(text, isValid);
      }
      weights.show(values.weights);
      kv.show(values.kv);
      gpu.show(values.gpu);
      this.update();
    };
    onModel((model) => {
      this.model = model;
      update();
    });
    state.subscribe(update);
  }

  private amount(name: AmountName): number | undefined {
    const value = parseAmount(this.state.value[name]);
    return value !== undefined && value >= 1 && value <= AMOUNTS[name].max ? value : undefined;
  }

  /** The remark beside a text with a number. */
  private understood(name: AmountName): { text: string; isValid: boolean } {
    const { unit, max, example } = AMOUNTS[name];
    const value = this.amount(name);
    if (value === undefined) {
      return { text: `Enter a whole number from 1 to ${formatInteger(max)}, for example ${example}.`, isValid: false };
    }
    const { maxPositionEmbeddings } = this.model.graph.config;
    const beyond = name === "context" && value > maxPositionEmbeddings ? ` (made for at most ${formatInteger(maxPositionEmbeddings)})` : "";
    return { text: `= ${counted(value, unit)}${beyond}`, isValid: true };
  }

  /** Names those fields of the given ones that need another number. */
  private askFor(...names: readonly AmountName[]): string {
    const wrong = names.filter((name) => this.amount(name) === undefined);
    return `Correct ${wrong.map((name) => `“${AMOUNTS[name].label}”`).join(" and ")}`;
  }

  private update(): void {
    const { weights, kv } = this.state.value;
    const [context, users] = [this.amount("context"), this.amount("users")];
    window.clearTimeout(this.planTimer);
    if (this.model.graph.config.dialect === "hypenet") {
      this.results.hidden = true;
      this.reading.textContent = "Memory is counted as in vLLM, which does not implement HypeNet (version 0.9.2). Choose a MiniMax model.";
      this.plan.replaceChildren(element("p", {}, "vLLM 0.9.2 does not implement HypeNet, so there is no plan."));
      return;
    }
    this.results.hidden = context === undefined || users === undefined;
    if (context === undefined || users === undefined) {
      const correct = this.askFor("context", "users");
      this.reading.textContent = `${correct} to see what ${this.model.name} needs.`;
      this.plan.replaceChildren(element("p", {}, `${correct} to see a plan.`));
      return;
    }
    const needs = requirements(this.model.graph, { context, users, weights, kv });
    const [own, naive] = [needs.exact.keyValues + needs.exact.states, needs.everyLayerCached.keyValues];
    this.reading.textContent =
      `For ${counted(users, "user")} with ${counted(context, "token")} each, keys, values and states of ${this.model.name} take ` +
      `${formatBytes(own)}. With a key-value cache charged for every layer, the result would be ${formatBytes(naive)}: ` +
      `${formatNumber(naive / own, 2)} times as much.`;
    this.showTable(needs);
    this.figure.show(memoryFigure(this.model.graph, this.model.name, { context, users, kv, weights }));
    this.planTimer = window.setTimeout(() => this.showPlan(context, users), PLAN_DELAY_MS);
  }

  private showTable({ exact, everyLayerCached, rotary, forwardPass }: ReturnType<typeof requirements>): void {
    this.gpuNote.textContent = describeGpus(this.model.graph, exact, everyLayerCached);
    const bytes = (label: string, value: (costs: Costs) => number): TableRow => ({
      label,
      cells: [exact, everyLayerCached].map((costs) => formatBytes(value(costs))),
      factor: value(everyLayerCached) / value(exact),
    });
    const flops = (label: string, value: (costs: Costs) => number): TableRow => ({
      label,
      cells: [exact, everyLayerCached].map((costs) => formatFlops(value(costs))),
      factor: value(everyLayerCached) / value(exact),
    });
    const rows: TableRow[] = [
      bytes("Weights", ({ weights }) => weights),
      bytes("Keys and values", ({ keyValues }) => keyValues),
      bytes("Lightning states", ({ states }) => states),
      bytes("Keys, values and states", ({ keyValues, states }) => keyValues + states),
      bytes("Table of rotary angles", () => rotary),
      bytes("Forward pass (estimate)", () => forwardPass),
      bytes("Total", ({ total }) => total),
      ...gpuRows(exact, everyLayerCached),
      flops("Operations of a prompt of this length", ({ prefillFlops }) => prefillFlops),
      flops("Operations of the token after it", ({ tokenFlops }) => tokenFlops),
    ];
    const head = ["Need", this.model.name, "cache in every layer", "factor"].map((text) => element("th", { scope: "col" }, text));
    this.table.replaceChildren(
      element("thead", {}, element("tr", {}, ...head)),
      element(
        "tbody",
        {},
        ...rows.map(({ label, cells, factor }) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, label),
            ...cells.map((text) => element("td", {}, text)),
            element("td", {}, Number.isFinite(factor) && factor > 0 ? `${formatNumber(factor, 3)} ×` : "–"),
          ),
        ),
      ),
    );
  }

  private showPlan(context: number, users: number): void {
    const { weights, kv, gpu } = this.state.value;
    const [gpusPerNode, nodes] = [this.amount("perNode"), this.amount("nodes")];
    if (gpusPerNode === undefined || nodes === undefined) {
      this.plan.replaceChildren(element("p", {}, `${this.askFor("perNode", "nodes")} to see a plan.`));
      return;
    }
    if (weights !== "experts_int8" && weights !== "bf16") {
      const loadable = "vLLM 0.9.2 can load this model with weights in bfloat16, or with experts in int8.";
      this.plan.replaceChildren(element("p", {}, `${loadable} Choose one of them above to see a plan.`));
      return;
    }
    const served = this.model.isPublished ? undefined : "/models/own";
    const target = { gpu, gpusPerNode, nodes, context, concurrency: users, weights, kv, served };
    this.plan.replaceChildren(...deploymentText(this.model.graph, this.model.name, target));
  }
}

interface TableRow {
  readonly label: string;
  readonly cells: readonly string[];
  readonly factor: number;
}

const totalGpus = (count: GpuCount | undefined) => (count ? count.copies * count.perCopy : Number.NaN);

function gpuText(count: GpuCount | undefined): string {
  if (!count) return "no room for one user";
  const { copies, perCopy } = count;
  return copies === 1 ? formatInteger(perCopy) : `${formatInteger(copies * perCopy)} (${formatInteger(copies)} × ${perCopy})`;
}

/** Kinds of GPUs with the same numbers share a row. */
function gpuRows(exact: Costs, cached: Costs): TableRow[] {
  const rows: { names: string[]; cells: readonly string[]; factor: number }[] = [];
  for (const [i, { gpu, needed }] of exact.gpus.entries()) {
    const both = [needed, cached.gpus[i]!.needed];
    const cells = both.map(gpuText);
    const last = rows.at(-1);
    if (last?.cells.every((text, k) => text === cells[k])) last.names.push(gpu.name);
    else rows.push({ names: [gpu.name], cells, factor: totalGpus(both[1]) / totalGpus(both[0]) });
  }
  return rows.map(({ names, ...row }) => ({ label: `GPUs: ${names.join(", ")}`, ...row }));
}

/** How the rows of GPUs are to be read, as far as they need it. */
function describeGpus({ config }: Graph, exact: Costs, cached: Costs): string {
  const all = [...exact.gpus, ...cached.gpus].map(({ needed }) => needed);
  const several = all.find((count) => count !== undefined && count.copies > 1);
  const sizes = tensorParallelSizes(config);
  const heads = config.numKeyValueHeads;
  return [
    "The rows of GPUs have the smallest number that holds the weights and all users.",
    ...(several
      ? [
          `${gpuText(several)} stands for ${formatInteger(several.copies)} copies of the model on ${counted(several.perCopy, "GPU")} each, ` +
            "among which the users are distributed.",
        ]
      : []),
    ...(all.includes(undefined)
      ? [
          `“No room for one user” means that not even one user fits. At most ${sizes.at(-1)} GPUs can share one copy, and beyond ${heads} ` +
            `they repeat keys and values, because the model has ${counted(heads, "head")} of them.`,
        ]
      : []),
  ].join(" ");
}

/** A number of operations: 94.6 TFLOP, 104 PFLOP. */
function formatFlops(flops: number): string {
  const units = ["", "k", "M", "G", "T", "P"];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(flops) / 3)));
  return `${formatNumber(flops / 1000 ** unit, 4)} ${units[unit]}FLOP`;
}

customElements.define("m1-requirements", RequirementsView);

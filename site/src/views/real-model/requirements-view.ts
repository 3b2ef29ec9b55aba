// `<m1-requirements>`: memory, operations and GPUs that a model needs for a context and a number of users.

import { DeploymentError, gpus, planDeployment, rayRecipe, serveCommand, type WeightScheme } from "lightning-m1/analysis";
import { radios, select, textInput } from "../../shared/controls.ts";
import { element } from "../../shared/dom.ts";
import { formatBinaryBytes, formatInteger, formatNumber } from "../../shared/numbers.ts";
import { choiceField, textField, UrlState } from "../../shared/state.ts";
import { parseAmount } from "./amounts.ts";
import { type ChosenModel, onModel } from "./chosen-model.ts";
import { memoryFigure } from "./memory-figure.ts";
import { type Costs, type Demand, requirements, UTILIZATION } from "./requirements.ts";

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
  context: { label: "Tokens per user", unit: "token", max: 1e9 },
  users: { label: "Users at the same time", unit: "user", max: 100_000 },
  perNode: { label: "GPUs per server", unit: "GPU", max: 64 },
  nodes: { label: "Servers", unit: "server", max: 64 },
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
  private readonly figure = element("m1-figure");
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
        textInput({ label: AMOUNTS[name].label, hint: "200k, 1M, 128Ki", onInput: (text) => state.set({ [name]: text }) }),
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
    this.append(demand, this.reading, scroll, this.figure, element("h3", {}, "A deployment with vLLM"), servers, this.plan);

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
    const { unit, max } = AMOUNTS[name];
    const value = this.amount(name);
    if (value === undefined) return { text: `expected 1 to ${formatInteger(max)}, such as 8, 200k, 1M or 128Ki`, isValid: false };
    const { maxPositionEmbeddings } = this.model.graph.config;
    const beyond = name === "context" && value > maxPositionEmbeddings ? ` (made for at most ${formatInteger(maxPositionEmbeddings)})` : "";
    return { text: `= ${counted(value, unit)}${beyond}`, isValid: true };
  }

  private update(): void {
    const { weights, kv } = this.state.value;
    const [context, users] = [this.amount("context"), this.amount("users")];
    if (context === undefined || users === undefined) {
      this.reading.textContent = "Enter whole numbers of tokens and users.";
      return;
    }
    const needs = requirements(this.model.graph, { context, users, weights, kv });
    const [own, naive] = [needs.exact.keyValues + needs.exact.states, needs.everyLayerCached.keyValues];
    this.reading.textContent =
      `${formatInteger(users)} × ${formatInteger(context)} tokens: keys, values and states of ${this.model.name} take ` +
      `${formatBinaryBytes(own)}. With a key-value cache charged for every layer, the result would be ${formatBinaryBytes(naive)}: ` +
      `${formatNumber(naive / own, 2)} times as much.`;
    this.showTable(needs);
    this.figure.show(memoryFigure(this.model.graph, this.model.name, { context, users, kv, weights }));
    window.clearTimeout(this.planTimer);
    this.planTimer = window.setTimeout(() => this.showPlan(context, users), PLAN_DELAY_MS);
  }

  private showTable({ exact, everyLayerCached, rotary, forwardPass }: ReturnType<typeof requirements>): void {
    const bytes = (label: string, value: (costs: Costs) => number): TableRow => ({
      label,
      cells: [exact, everyLayerCached].map((costs) => formatBinaryBytes(value(costs))),
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
    const head = ["", this.model.name, "cache in every layer", "factor"].map((text) => element("th", { scope: "col" }, text || "Need"));
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
      this.plan.replaceChildren(element("p", {}, "Enter whole numbers of GPUs and servers."));
      return;
    }
    if (weights !== "experts_int8" && weights !== "bf16") {
      this.plan.replaceChildren(
        element("p", {}, "Plans exist for weights in bfloat16 and for experts in int8, which vLLM 0.9.2 can load."),
      );
      return;
    }
    const served = this.model.isPublished ? undefined : "/models/own";
    try {
      const plan = planDeployment(this.model.graph, { gpu, gpusPerNode, nodes, context, concurrency: users, weights, kv, served });
      const { tensorParallel, replicas, sequences, nodesPerReplica, memory, usableBytes, cacheTokens, notes } = plan;
      const facts = [
        `${counted(replicas, "replica")} of ${tensorParallel} ${gpu}, each for ${counted(sequences, "user")} at a time`,
        `each GPU needs ${formatBinaryBytes(memory.totalBytes)} of ${formatBinaryBytes(usableBytes)} that the server may use ` +
          `(${100 * UTILIZATION} %)`,
        `the cache of a replica has room for ${formatInteger(cacheTokens)} tokens`,
        ...notes,
      ];
      const commands = nodesPerReplica > 1 ? rayRecipe(plan) : [{ where: "on each server", command: serveCommand(plan) }];
      this.plan.replaceChildren(
        element("ul", {}, ...facts.map((fact) => element("li", {}, fact))),
        ...commands.flatMap(({ where, command }) => [
          element("p", {}, `Command ${where}:`),
          element("pre", { tabindex: 0, "aria-label": `Command ${where}` }, command),
        ]),
      );
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const message = error.message.replace(/^plan: /, "");
      this.plan.replaceChildren(
        element("p", { class: "view-error" }, error instanceof DeploymentError ? `This does not fit. ${message}` : message),
      );
    }
  }
}

const counted = (count: number, unit: string) => `${formatInteger(count)} ${unit}${count === 1 ? "" : "s"}`;

interface TableRow {
  readonly label: string;
  readonly cells: readonly string[];
  readonly factor: number;
}

/** Kinds of GPUs with the same numbers share a row. */
function gpuRows(exact: Costs, cached: Costs): TableRow[] {
  const rows: { names: string[]; needed: readonly (number | undefined)[] }[] = [];
  for (const [i, { gpu, needed }] of exact.gpus.entries()) {
    const both = [needed, cached.gpus[i]!.needed];
    const last = rows.at(-1);
    if (last?.needed.every((value, k) => value === both[k])) last.names.push(gpu.name);
    else rows.push({ names: [gpu.name], needed: both });
  }
  return rows.map(({ names, needed }) => ({
    label: `GPUs: ${names.join(", ")}`,
    cells: needed.map((value) => (value === undefined ? "do not suffice" : formatInteger(value))),
    factor: needed[1]! / needed[0]!,
  }));
}

/** A number of operations: 94.6 TFLOP, 104 PFLOP. */
function formatFlops(flops: number): string {
  const units = ["", "k", "M", "G", "T", "P"];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(flops) / 3)));
  return `${formatNumber(flops / 1000 ** unit, 4)} ${units[unit]}FLOP`;
}

customElements.define("m1-requirements", RequirementsView);

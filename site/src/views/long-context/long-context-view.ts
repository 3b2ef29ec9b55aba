// `<m1-long-context>`: time and memory of three models of equal size over growing contexts, measured while the visitor watches.

import { button, checkboxes, select } from "../../shared/controls.ts";
import { element, uniqueId } from "../../shared/dom.ts";
import type { Figure } from "../../shared/figure.ts";
import { formatInteger } from "../../shared/numbers.ts";
import { keepInTab, keptInTab } from "../../shared/session.ts";
import { choiceField, flagField, subsetField, UrlState } from "../../shared/state.ts";
import { figureOf } from "./figures.ts";
import type { Message, Request } from "./long-context-worker.ts";
import type { Limits, Point, Progress, Stop } from "./measure.ts";
import { type ModelName, modelLabels, modelNames, parametersOf } from "./models.ts";
import { type Quantity, quantities } from "./predictions.ts";
import { comparePoints, describeEnd, explainStop } from "./summary.ts";

const BUDGETS = ["3", "15", "60", "600", "none"] as const;
type Budget = (typeof BUDGETS)[number];
const budgetLabels: Readonly<Record<Budget, string>> = {
  "3": "3 seconds: a first look",
  "15": "15 seconds",
  "60": "1 minute",
  "600": "10 minutes",
  none: "none: up to a million tokens",
};

/** Bytes of the state and the cache of a model, so that a tab does not take the memory of the whole machine. */
const MEMORY_LIMIT = 2 ** 30;

/** Seconds that no measurement reaches: a century. JSON has no infinity. */
const NO_LIMIT = 100 * 365 * 86_400;

interface State {
  readonly models: readonly ModelName[];
  readonly budget: Budget;
  /** Whether measuring goes on while the tab is hidden. */
  readonly hidden: boolean;
}

/** Where measurements are kept until the tab is closed. */
const STORAGE_KEY = "lightning-m1:long-context-1";

interface Measurements {
  /** The models that were chosen. */
  readonly models: readonly ModelName[];
  readonly limits: Limits;
  readonly points: readonly Point[];
  readonly stops: readonly Stop[];
}

const NOTHING: Measurements = { models: modelNames, limits: { seconds: 60, bytes: MEMORY_LIMIT }, points: [], stops: [] };

class LongContextView extends HTMLElement {
  private started = false;
  private state!: UrlState<State>;
  private worker: Worker | undefined;
  private measurements = keptInTab<Measurements>(STORAGE_KEY) ?? NOTHING;
  private isPausedByVisitor = false;

  private readonly status = element(
    "p",
    { role: "status", class: "long-context-status" },
    this.measurements.points.length > 0 ? "Measured before this page was reloaded." : "Nothing has been measured yet.",
  );
  private readonly bar = element("progress", { id: uniqueId("progress"), max: 1, value: 0 });
  private readonly barLabel = element("label", { for: this.bar.id });
  private readonly progress = element("div", { class: "long-context-progress", hidden: true }, this.barLabel, this.bar);
  private readonly reading = element("p", { class: "view-reading" });
  /** How far each model came. */
  private readonly endList = element("ul", { class: "long-context-ends" });
  private readonly startButton = button("Measure", () => this.start());
  private readonly pauseButton = button("Pause", () => this.togglePause());
  private readonly stopButton = button("Stop", () => this.end("Stopped."));
  private readonly figures = new Map<Quantity, Figure>(quantities.map((quantity) => [quantity, element("m1-figure")]));
  private readonly waiting = new Set<Quantity>();

  private readonly onVisibility = () => this.sendPause();

  connectedCallback(): void {
    document.addEventListener("visibilitychange", this.onVisibility);
    if (this.started) return;
    this.started = true;
    this.state = new UrlState<State>({
      models: subsetField<ModelName>(modelNames, modelNames),
      budget: choiceField<Budget>("60", BUDGETS),
      hidden: flagField(false),
    });
    const models = checkboxes<ModelName>({
      label: "Models",
      choices: modelNames.map((value) => ({ value, label: `${modelLabels[value]} (${formatInteger(parametersOf(value))} parameters)` })),
      onInput: (values) => this.state.set({ models: values }),
    });
    const budget = select<Budget>({
      label: "Time limit per model",
      choices: BUDGETS.map((value) => ({ value, label: budgetLabels[value] })),
      onInput: (value) => this.state.set({ budget: value }),
    });
    const hidden = checkboxes<"hidden">({
      label: "In the background",
      choices: [{ value: "hidden", label: "go on while this tab is hidden" }],
      onInput: (values) => this.state.set({ hidden: values.length > 0 }),
    });
    this.enableButtons();
    // The sections of the page have the texts, so that the search finds them.
    this.prepend(
      element("div", { class: "view-controls" }, models.element, budget.element, hidden.element),
      element("div", { class: "view-actions" }, this.startButton, this.pauseButton, this.stopButton),
      this.status,
      this.progress,
      this.reading,
      this.endList,
    );
    for (const [quantity, figure] of this.figures) this.querySelector(`[data-part="${quantity}"]`)!.append(figure);
    this.state.subscribe((values) => {
      models.show(values.models);
      budget.show(values.budget);
      hidden.show(values.hidden ? ["hidden"] : []);
      this.sendPause();
      this.draw();
    });
  }

  disconnectedCallback(): void {
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.end("Stopped.");
  }

  private start(): void {
    const { models, budget } = this.state.value;
    if (models.length === 0) {
      this.status.textContent = "Choose at least one model.";
      return;
    }
    this.worker?.terminate();
    const limits = { seconds: budget === "none" ? NO_LIMIT : Number(budget), bytes: MEMORY_LIMIT };
    this.measurements = { models, limits, points: [], stops: [] };
    this.isPausedByVisitor = false;
    this.worker = new Worker(new URL("./long-context-worker.ts", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", ({ data }: MessageEvent<Message>) => this.receive(data));
    this.worker.addEventListener("error", ({ message }) => this.end(`The worker failed: ${message || "it could not be started"}`));
    this.send({ kind: "start", models, limits });
    this.showProgress({ model: models[0]!, tokens: 0, next: 1024 });
    this.progress.hidden = false;
    this.sendPause();
    this.enableButtons();
    this.draw();
  }

  private receive(message: Message): void {
    if ("progress" in message) this.showProgress(message.progress);
    else if ("point" in message) {
      this.keep({ points: [...this.measurements.points, message.point] });
      this.draw();
    } else if ("stop" in message) {
      this.keep({ stops: [...this.measurements.stops, message.stop] });
      this.showText();
    } else if (message.kind === "end") this.end("Finished.");
    else this.end(`The measurement failed: ${message.message}`);
  }

  private keep(added: Partial<Measurements>): void {
    this.measurements = { ...this.measurements, ...added };
    keepInTab(STORAGE_KEY, this.measurements);
  }

  private togglePause(): void {
    this.isPausedByVisitor = !this.isPausedByVisitor;
    this.sendPause();
  }

  /** Pauses the worker if the visitor asked for it, or left the tab. */
  private sendPause(): void {
    if (!this.worker) return;
    const isAway = document.hidden && !this.state.value.hidden;
    const isPaused = this.isPausedByVisitor || isAway;
    this.send({ kind: isPaused ? "pause" : "continue" });
    this.pauseButton.textContent = this.isPausedByVisitor ? "Continue" : "Pause";
    const status = isPaused ? (isAway ? "Paused while the tab is hidden." : "Paused.") : "Measuring.";
    if (this.status.textContent !== status) this.status.textContent = status;
  }

  private end(status: string): void {
    if (!this.worker) return;
    this.worker.terminate();
    this.worker = undefined;
    this.progress.hidden = true;
    this.status.textContent = status;
    this.pauseButton.textContent = "Pause";
    const hadFocus = [this.pauseButton, this.stopButton].some((one) => one === document.activeElement);
    this.enableButtons();
    // A disabled button loses the focus.
    if (hadFocus) this.startButton.focus();
  }

  private send(request: Request): void {
    this.worker?.postMessage(request);
  }

  private enableButtons(): void {
    const isRunning = this.worker !== undefined;
    this.startButton.textContent = isRunning ? "Start over" : this.measurements.points.length > 0 ? "Measure again" : "Measure";
    this.pauseButton.disabled = !isRunning;
    this.stopButton.disabled = !isRunning;
  }

  private showProgress({ model, tokens, next }: Progress): void {
    this.barLabel.textContent = `${modelLabels[model]}: ${formatInteger(tokens)} of ${formatInteger(next)} tokens`;
    this.bar.value = tokens / next;
  }

  private showText(): void {
    const { models, limits, points, stops } = this.measurements;
    this.reading.textContent = comparePoints(models, points);
    const ends = [...stops.map((stop) => explainStop(stop, limits)), ...points.flatMap((point) => describeEnd(point) ?? [])];
    this.endList.replaceChildren(...ends.map((text) => element("li", {}, text)));
  }

  /** Draws all figures, one per frame, so that no frame takes long. */
  private draw(): void {
    this.showText();
    const isIdle = this.waiting.size === 0;
    for (const quantity of quantities) this.waiting.add(quantity);
    if (isIdle) this.drawNext();
  }

  private drawNext(): void {
    const [quantity] = this.waiting;
    if (quantity === undefined) return;
    this.waiting.delete(quantity);
    const { models } = this.state.value;
    const points = this.measurements.points.filter(({ model }) => models.includes(model));
    this.figures.get(quantity)!.show(figureOf(quantity, models, points));
    // Hidden tabs have no frames.
    if (document.hidden) setTimeout(() => this.drawNext());
    else requestAnimationFrame(() => this.drawNext());
  }
}

customElements.define("m1-long-context", LongContextView);

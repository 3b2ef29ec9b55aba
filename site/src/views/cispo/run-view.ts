// `<m1-cispo-run>`: a small run of reinforcement learning in a worker, with its rewards and a sample answer of each batch.

import * as Plot from "@observablehq/plot";
import { button, select } from "../../shared/controls.ts";
import { element, uniqueId } from "../../shared/dom.ts";
import { type FigureSpec, seriesStyle } from "../../shared/figure.ts";
import { formatNumber } from "../../shared/numbers.ts";
import { seedField, seedInput } from "../../shared/seed.ts";
import { withFullStop } from "../../shared/sentences.ts";
import { keepInTab, keptInTab } from "../../shared/session.ts";
import { choiceField, UrlState } from "../../shared/state.ts";
import type { Sample, Step } from "./sorting-run.ts";
import type { Message } from "./sorting-worker.ts";
import { type ObjectiveName, objectiveNames, objectives } from "./token-weights.ts";

interface State {
  readonly objective: ObjectiveName;
  readonly seed: number;
}

interface Run extends State {
  readonly steps: readonly Step[];
}

const SHOWN_SAMPLES = 6;
/** Batches of a run, as in sorting-run.ts, which the page does not load. */
const BATCHES = 80;
/** Where runs are kept until the tab is closed. */
const STORAGE_KEY = "lightning-m1:cispo-runs-1";

class CispoRunView extends HTMLElement {
  private started = false;
  private state!: UrlState<State>;
  private worker: Worker | undefined;
  /** The last run of each objective. */
  private readonly runs = new Map((keptInTab<Run[]>(STORAGE_KEY) ?? []).map((run) => [run.objective, run]));

  private readonly status = element("p", { role: "status" }, describeKept([...this.runs.values()].at(-1)));
  private readonly bar = element("progress", { id: uniqueId("progress"), max: BATCHES, value: 0, "aria-label": "Batches of the run" });
  private readonly reading = element("p", { class: "view-reading" });
  private readonly samplesLabel = element(
    "p",
    { class: "cispo-samples-label", id: uniqueId("samples") },
    "The most probable answer to a new question after each batch, the newest first:",
  );
  private readonly samples = element("ol", { class: "cispo-samples", reversed: true, "aria-labelledby": this.samplesLabel.id });
  private readonly figure = element("m1-figure");
  private readonly startButton = button("Start", () => this.start());
  private readonly stopButton = button("Stop", () => this.end("Stopped."));

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    this.state = new UrlState<State>({
      objective: choiceField<ObjectiveName>("cispo", objectiveNames),
      seed: seedField,
    });
    const objective = select<ObjectiveName>({
      label: "Objective of the run",
      choices: objectiveNames.map((value) => ({ value, label: objectives[value].label })),
      onInput: (value) => this.state.set({ objective: value }),
    });
    const seed = seedInput((value) => {
      this.startButton.disabled = value === undefined;
      if (value !== undefined) this.state.set({ seed: value });
    });
    this.stopButton.disabled = true;
    this.bar.hidden = true;
    this.classList.add("not-content", "view");
    this.append(
      element("div", { class: "view-controls" }, objective.element, seed.element),
      element("div", { class: "view-actions" }, this.startButton, this.stopButton),
      this.status,
      this.bar,
      this.reading,
      this.samplesLabel,
      this.samples,
      this.figure,
    );
    this.showLast();
    window.addEventListener("pagehide", () => this.keep());
    this.state.subscribe((values) => {
      objective.show(values.objective);
      seed.show(String(values.seed));
    });
  }

  disconnectedCallback(): void {
    this.end("Stopped.");
  }

  private start(): void {
    this.worker?.terminate();
    const { objective, seed } = this.state.value;
    const run = { objective, seed, steps: [] };
    // The last run is the last of the map.
    this.runs.delete(objective);
    this.runs.set(objective, run);
    this.bar.value = 0;
    this.bar.hidden = false;
    this.worker = new Worker(new URL("./sorting-worker.ts", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", ({ data }: MessageEvent<Message>) => this.receive(objective, data));
    this.worker.addEventListener("error", ({ message }) =>
      this.end(`The worker failed: ${withFullStop(message || "it could not be started")}`),
    );
    this.worker.postMessage({ objective, seed: run.seed });
    this.status.textContent = `Training with ${objectives[objective].label}, seed ${run.seed}…`;
    this.startButton.textContent = "Start over";
    this.stopButton.disabled = false;
    this.showLast();
  }

  private receive(objective: ObjectiveName, message: Message): void {
    if ("step" in message) this.addStep(objective, message.step);
    else this.end("end" in message ? "Finished." : `The run failed: ${withFullStop(message.error)}`);
  }

  private addStep(objective: ObjectiveName, step: Step): void {
    const run = this.runs.get(objective)!;
    this.runs.set(objective, { ...run, steps: [...run.steps, step] });
    this.bar.value = step.batch;
    this.showLast();
  }

  /** Shows the state of the last run, and the curves of all runs. */
  private showLast(): void {
    const runs = [...this.runs.values()];
    const steps = runs.at(-1)?.steps ?? [];
    this.reading.textContent = steps.length > 0 ? describeStep(steps) : "";
    this.samplesLabel.hidden = steps.length === 0;
    this.samples.replaceChildren(...steps.slice(-SHOWN_SAMPLES).reverse().map(sampleEntry));
    this.figure.hidden = runs.length === 0;
    if (runs.length > 0) this.figure.show(figureOf(runs));
  }

  private keep(): void {
    keepInTab(STORAGE_KEY, [...this.runs.values()]);
  }

  private end(status: string): void {
    if (!this.worker) return;
    this.worker.terminate();
    this.worker = undefined;
    this.keep();
    this.status.textContent = status;
    this.bar.hidden = true;
    this.startButton.textContent = "Start";
    // A disabled button loses the focus.
    if (document.activeElement === this.stopButton) this.startButton.focus();
    this.stopButton.disabled = true;
  }
}

/** What is known about the last run when the page is opened. */
function describeKept(run: Run | undefined): string {
  if (!run) return "Not started. The code of the training is loaded when you start it.";
  const name = `${objectives[run.objective].label}, seed ${run.seed}`;
  if (run.steps.length === BATCHES) return `Trained with ${name} before this page was reloaded.`;
  return `The run with ${name} ended after ${run.steps.length} of ${BATCHES} batches. “Start” begins a new run.`;
}

function describeStep(steps: readonly Step[]): string {
  const { batch, reward, right } = steps.at(-1)!;
  const percent = (share: number) => `${formatNumber(100 * share, 2)} %`;
  const places = `${percent(reward)} of their digits are in the right places (${percent(steps[0]!.reward)} in the first batch)`;
  return `Batch ${batch} of ${BATCHES}: of the answers sampled for training, ${percent(right)} are right, and ${places}.`;
}

/** Tokens that are no digits are shown as dots. */
const digitsText = (ids: readonly number[]): string => ids.map((id) => (id < 6 ? String(id) : "·")).join(" ");

const verdictText = ({ isRight }: Sample): string => (isRight ? "✓ right" : "✗ wrong");
const sampleText = ({ question, answer }: Sample): string => `${digitsText(question)} → ${digitsText(answer)}`;

function sampleEntry({ batch, sample }: Step): HTMLElement {
  const verdict = element("span", { class: sample.isRight ? "right" : "wrong" }, verdictText(sample));
  return element("li", { value: batch }, `${sampleText(sample)} `, verdict);
}

function figureOf(runs: readonly Run[]): FigureSpec {
  const curves = runs.map(({ objective, seed, steps }) => ({
    ...{ objective, seed, steps },
    label: `${objectives[objective].label}, seed ${seed}`,
    index: objectiveNames.indexOf(objective),
  }));
  const batches = Array.from({ length: Math.max(0, ...curves.map(({ steps }) => steps.length)) }, (_, i) => i + 1);
  return {
    title: "Mean reward of the sampled answers",
    description: `Line chart of the share of digits in their right places against batches, for ${curves.map(({ label }) => label).join("; ")}. The table below has the same data.`,
    file: "cispo-run",
    series: curves,
    chart: () => ({
      height: 280,
      marginLeft: 44,
      marginRight: 16,
      x: { domain: [0, BATCHES], label: "batches" },
      y: { domain: [0, 1], grid: true, label: "mean reward" },
      marks: [
        Plot.ruleY([0]),
        ...curves.map(({ steps, index }) => Plot.line(steps, { x: "batch", y: "reward", strokeWidth: 2.5, ...seriesStyle(index) })),
      ],
    }),
    columns: [
      "batch",
      ...curves.flatMap(({ label }) => [`${label}: mean reward`, "share of right answers", "most probable answer to a new question"]),
    ],
    rows: batches.map((batch) => [
      batch,
      ...curves.flatMap(({ steps }) => {
        const step = steps[batch - 1];
        return step ? [step.reward, step.right, `${sampleText(step.sample)} ${verdictText(step.sample)}`] : [null, null, null];
      }),
    ]),
    data: { runs: curves.map(({ objective, seed, steps }) => ({ objective, seed, steps })) },
  };
}

customElements.define("m1-cispo-run", CispoRunView);

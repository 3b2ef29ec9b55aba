// `<m1-think>`: the bundled model thinks about a puzzle and answers it, and a verifier judges the answer.

import { button, radios, select, slider } from "../../shared/controls.ts";
import { element, uniqueId } from "../../shared/dom.ts";
import { LiveModel, type ModelChoice, savesData } from "../../shared/live-model.ts";
import { SEED_RULE, seedField, seedInput } from "../../shared/seed.ts";
import { choiceField, numberField, privateTextField, UrlState } from "../../shared/state.ts";
import { PuzzleClient } from "../tasks/puzzle-client.ts";
import { FORMATS, type Format, LEVELS, type Level } from "./formats.ts";
import { OtherModel, PRECISIONS, type Precision } from "./other-model.ts";
import type { QuestionChoice, Verdict } from "./questions.ts";
import { playRecording, recorded } from "./recorded-run.ts";
import { RunOutput } from "./run-output.ts";

interface State {
  readonly task: Format;
  readonly level: Level;
  readonly puzzle: number;
  /** A question that the reader wrote. Empty for the puzzle that the other fields name. */
  readonly question: string;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  /** The address of another model. It is loaded when the reader says so, not by a link. */
  readonly model: string;
  readonly precision: Precision;
}

const MAX_TOKENS = 512;

class ThinkView extends HTMLElement {
  private started = false;
  private readonly client = new PuzzleClient();
  private readonly model = new LiveModel(false, () => this.showStored());
  private readonly other = new OtherModel({
    onChoice: (choice) => this.replaceModel(choice),
    onAddress: (model) => this.state.set({ model }),
    onPrecision: (precision) => this.state.set({ precision }),
    onRefused: (reason) => this.fail(reason),
  });
  private readonly output = new RunOutput();
  private state!: UrlState<State>;
  private seedIsValid = true;
  /** What the question field shows: a written question, or the choice of a puzzle as JSON. */
  private shown = "";
  /** Aborts the run that is shown, recorded or live. */
  private running: AbortController | undefined;

  private readonly question = element("textarea", {
    id: uniqueId("question"),
    class: "think-input",
    rows: 5,
    spellcheck: "false",
    autocapitalize: "off",
  });
  private readonly verdict = element("div", { class: "think-verdict", role: "status" });
  private readonly thinkButton = button("Think", () => void this.think());
  private readonly stopButton = button("Stop", () => this.stop());

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    this.classList.add("not-content", "view");
    this.build();
    void this.begin();
  }

  private build(): void {
    this.state = new UrlState<State>({
      task: choiceField(recorded.choice.task as Format, FORMATS),
      level: choiceField(recorded.choice.level as Level, LEVELS),
      puzzle: numberField(recorded.choice.index, { min: 0, max: 1e9 }),
      question: privateTextField("", { maxLength: 8000 }),
      temperature: numberField(1, { min: 0, max: 2 }),
      topP: numberField(0.95, { min: 0.05, max: 1 }),
      seed: seedField,
      model: privateTextField(""),
      precision: choiceField("stored", PRECISIONS),
    });
    const task = select<Format>({
      label: "Puzzle",
      choices: FORMATS.map((value) => ({ value, label: value.replaceAll("-", " ") })),
      onInput: (value) => this.state.set({ task: value, puzzle: 0, question: "" }),
    });
    const level = radios<Level>({
      label: "Level",
      choices: LEVELS.map((value) => ({ value, label: value })),
      onInput: (value) => this.state.set({ level: value, puzzle: 0, question: "" }),
    });
    level.element.classList.add("think-level");
    const temperature = slider({
      label: "Temperature",
      min: 0,
      max: 2,
      step: 0.05,
      format: (value) => (value === 0 ? "0 (greedy)" : value.toFixed(2)),
      onInput: (value) => this.state.set({ temperature: value }),
    });
    const topP = slider({ label: "Top-p", min: 0.05, max: 1, step: 0.05, onInput: (value) => this.state.set({ topP: value }) });
    const seed = seedInput((value) => {
      this.seedIsValid = value !== undefined;
      if (value !== undefined) this.state.set({ seed: value });
    });
    const next = button("Next puzzle", () => this.state.set({ puzzle: this.state.value.puzzle + 1, question: "" }));
    this.question.addEventListener("input", () => {
      // An empty field stays empty while the reader writes.
      this.shown = this.question.value || JSON.stringify(this.choice());
      this.state.set({ question: this.question.value });
    });
    this.question.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void this.think();
    });
    this.stopButton.disabled = true;
    this.replaceChildren(
      element("div", { class: "view-controls" }, task.element, level.element, temperature.element, topP.element, seed.element),
      element("label", { for: this.question.id, class: "think-label" }, "Question: a puzzle, or one that you write in its format"),
      this.question,
      element("div", { class: "think-actions" }, this.thinkButton, this.stopButton, next),
      this.output.element,
      this.verdict,
      this.model.element,
      this.other.element,
    );
    this.other.acceptDrops(document);
    this.state.subscribe((values) => {
      task.show(values.task);
      level.show(values.level);
      temperature.show(values.temperature);
      topP.show(values.topP);
      seed.show(String(values.seed));
      seed.remark("", true);
      this.seedIsValid = true;
      this.other.showAddress(values.model);
      this.other.showPrecision(values.precision);
      void this.showQuestion();
    });
  }

  private replaceModel(choice: ModelChoice): void {
    if (!this.stopButton.disabled) this.stop();
    this.showRemark("");
    // A failure is shown by the model's own status.
    this.model.replace(choice).catch(() => {});
  }

  /** Shows the stored downloads anew, if they are shown. */
  private showStored(): void {
    if (this.other.element.open) void this.other.showStored();
  }

  /** The puzzle that the address names. */
  private choice(): QuestionChoice {
    const { task, level, puzzle } = this.state.value;
    return { task, level, index: Math.floor(puzzle) };
  }

  private async showQuestion(): Promise<void> {
    const { question } = this.state.value;
    const choice = this.choice();
    const wanted = question || JSON.stringify(choice);
    if (wanted === this.shown) return;
    this.shown = wanted;
    if (question) {
      // Writing an equal value would move the cursor.
      if (this.question.value !== question) this.question.value = question;
      return;
    }
    try {
      const made = await this.client.call({ kind: "question", choice });
      if (wanted === this.shown) this.question.value = made;
    } catch (error) {
      this.fail(error);
    }
  }

  /** Plays the recorded run, unless the address names another question, and loads the model meanwhile. */
  private async begin(): Promise<void> {
    const isRecorded = this.shown === JSON.stringify(recorded.choice);
    const running = this.start();
    const played = isRecorded ? playRecording(this.output, running.signal) : undefined;
    if (!played) this.showRemark("Press Think, and the model answers this question.");
    // The frame after the next one: the recording is then on the screen.
    requestAnimationFrame(() => requestAnimationFrame(() => this.loadUnlessSaving()));
    try {
      await played;
      if (played) await this.judge(recorded.question, running.signal);
    } catch (error) {
      if (!running.signal.aborted) this.fail(error);
    }
  }

  private loadUnlessSaving(): void {
    if (savesData()) this.model.wait("Your browser asks to save data. The model (7 MB) is loaded when you press Think.");
    // A failure is shown by the model's own status.
    else this.model.load().catch(() => {});
  }

  /** Begins a run in place of the previous one. */
  private start(): AbortController {
    this.running?.abort();
    this.running = new AbortController();
    return this.running;
  }

  private async think(): Promise<void> {
    const question = this.question.value;
    if (question.trim() === "") {
      this.showRemark("Write a question first.");
      this.question.focus();
      return;
    }
    if (!this.seedIsValid) {
      this.showRemark(`Seed: ${SEED_RULE}`);
      return;
    }
    const { temperature, topP, seed } = this.state.value;
    const { signal } = this.start();
    this.output.begin(`Seed ${seed}, temperature ${temperature}, top-p ${topP}`, question);
    this.stopButton.disabled = false;
    this.showRemark("Thinking…");
    try {
      const model = await this.model.load();
      if (signal.aborted) return;
      const sampling = temperature === 0 ? { temperature } : { temperature, topP, seed };
      const tokens = model.generate([{ role: "user", content: question }], { ...sampling, maxTokens: MAX_TOKENS, signal });
      for await (const { text } of tokens) {
        if (signal.aborted) return;
        this.output.push(text);
      }
      this.output.end();
      await this.judge(question, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.output.end();
      if (error instanceof DOMException && error.name === "AbortError") this.showRemark(error.message);
      else this.fail(error);
    }
    if (!signal.aborted) this.endRun();
  }

  private stop(): void {
    this.running?.abort();
    this.output.end();
    this.showRemark("Stopped.");
    this.endRun();
  }

  private endRun(): void {
    // A disabled button loses the focus.
    if (document.activeElement === this.stopButton) this.thinkButton.focus();
    this.stopButton.disabled = true;
  }

  private async judge(question: string, signal: AbortSignal): Promise<void> {
    const verdict = await this.client.call({ kind: "judgeResponse", question, response: this.output.text });
    if (!signal.aborted) this.showVerdict(verdict);
  }

  private showVerdict(verdict: Verdict | undefined): void {
    if (!verdict) {
      this.showRemark("Not judged: this question has none of the eight formats. The model answers as if it had one of them.");
      return;
    }
    const { isRight, reason, found, solution } = verdict;
    const remarks = [
      ...(found !== undefined ? [`Answer that was read: ${found.includes("\n") ? "\n" : ""}${found}`] : []),
      ...(solution !== undefined ? [`A right answer: ${solution.includes("\n") ? "\n" : ""}${solution}`] : []),
    ];
    this.verdict.className = `think-verdict ${isRight ? "right" : "wrong"}`;
    this.verdict.replaceChildren(
      element("p", {}, element("strong", {}, isRight ? "Right" : "Wrong"), ` ${reason}`),
      ...remarks.map((text) => element("p", { class: "think-remark" }, text)),
    );
  }

  private showRemark(text: string): void {
    this.verdict.className = "think-verdict";
    this.verdict.replaceChildren(text);
  }

  private fail(error: unknown): void {
    this.verdict.className = "think-verdict wrong";
    this.verdict.replaceChildren(error instanceof Error ? error.message : String(error));
  }
}

customElements.define("m1-think", ThinkView);

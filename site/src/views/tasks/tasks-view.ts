// `<m1-tasks>`: puzzles of all tasks, to be solved by hand and judged by the library's verifiers.

import type { Row } from "lightning-m1/rl";
import { button, radios } from "../../shared/controls.ts";
import { element, uniqueId } from "../../shared/dom.ts";
import { formatInteger } from "../../shared/numbers.ts";
import { seedField, seedInput } from "../../shared/seed.ts";
import { messageOf, sentence } from "../../shared/sentences.ts";
import { keepInTab, keptInTab } from "../../shared/session.ts";
import { numberField, textField, UrlState } from "../../shared/state.ts";
import { PuzzleClient } from "./puzzle-client.ts";
import type { Judgement, PuzzleChoice, TaskEntry } from "./puzzles.ts";

interface State {
  readonly task: string;
  /** Empty for the easiest level of the task. */
  readonly level: string;
  readonly language: string;
  readonly seed: number;
  /** The number of the puzzle within the sequence of its seed, from 1. */
  readonly puzzle: number;
}

/** Answers survive a reload of the tab. They are not in the address, which would grow too long. */
const storageKey = (choice: PuzzleChoice) => `lightning-m1:answer:${JSON.stringify(choice)}`;

class TasksView extends HTMLElement {
  private started = false;
  private readonly client = new PuzzleClient();
  private tasks: readonly TaskEntry[] = [];
  private state!: UrlState<State>;
  private shown: PuzzleChoice | undefined;
  private row: Row | undefined;

  private readonly taskSelect = element("select", { id: uniqueId("task") });
  private readonly summary = element("p", { class: "task-summary" });
  private readonly choices = element("div", { class: "task-choices" });
  private readonly question = element("pre", { class: "task-question", "aria-label": "Question", role: "group" });
  private readonly example = element("div", { class: "task-example" });
  private readonly answer = element("textarea", {
    id: uniqueId("answer"),
    class: "task-answer",
    rows: 6,
    spellcheck: "false",
    autocapitalize: "off",
  });
  private readonly verdict = element("div", { class: "task-verdict", role: "status" });
  private readonly solution = element("div", { class: "task-solution", "aria-live": "polite" });
  private readonly gallery = element("details", { class: "task-gallery" });
  private readonly actions: readonly HTMLButtonElement[] = [
    button("Check the answer", () => this.check()),
    button("Show a solution", () => this.solve()),
    button("Next puzzle", () => this.state.set({ puzzle: this.state.value.puzzle + 1 })),
  ];

  async connectedCallback(): Promise<void> {
    if (this.started) return;
    this.started = true;
    this.classList.add("not-content", "view");
    this.append(this.verdict);
    this.verdict.textContent = "Loading the tasks…";
    try {
      this.tasks = await this.client.call({ kind: "catalogue" });
    } catch (error) {
      this.fail(error);
      return;
    }
    this.build();
  }

  private build(): void {
    this.state = new UrlState<State>({
      task: textField("kukurasu", { maxLength: 60 }),
      level: textField("", { maxLength: 20 }),
      language: textField("en", { maxLength: 2 }),
      seed: seedField,
      puzzle: numberField(1, { min: 1, max: 1e9 }),
    });
    for (const [label, isCompact] of [
      ["SynLogic tasks", false],
      ["Compact tasks", true],
    ] as const) {
      const options = this.tasks
        .filter((task) => task.isCompact === isCompact)
        .map(({ name }) => element("option", { value: name }, displayName(name)));
      this.taskSelect.append(element("optgroup", { label }, ...options));
    }
    this.taskSelect.addEventListener("change", () => this.chooseTask(this.taskSelect.value));
    const task = element("div", { class: "control" }, element("label", { for: this.taskSelect.id }, "Task"), this.taskSelect);
    const seed = seedInput((value) => {
      if (value !== undefined) this.state.set({ seed: value, puzzle: 1 });
    });
    this.answer.addEventListener("input", () => {
      if (this.shown) keepInTab(storageKey(this.shown), this.answer.value);
    });
    this.answer.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.check();
    });
    this.buildGallery();
    this.replaceChildren(
      element("div", { class: "view-controls" }, task, this.choices, seed.element),
      this.summary,
      this.question,
      this.example,
      element("label", { for: this.answer.id, class: "task-answer-label" }, "Your answer, in the requested form"),
      this.answer,
      element("div", { class: "task-actions" }, ...this.actions),
      this.verdict,
      this.solution,
      this.gallery,
    );
    this.state.subscribe((values) => {
      seed.show(String(values.seed));
      this.showChoice();
    });
  }

  private chooseTask(name: string): void {
    this.state.set({ task: name, level: "", puzzle: 1 });
  }

  private buildGallery(): void {
    const card = ({ name, summary }: TaskEntry) => {
      const choose = button(displayName(name), () => {
        this.chooseTask(name);
        this.scrollIntoView({ block: "start" });
        this.taskSelect.focus({ preventScroll: true });
      });
      return element("li", {}, choose, ...(summary ? [element("p", {}, summary)] : []));
    };
    const list = (isCompact: boolean) => element("ul", {}, ...this.tasks.filter((task) => task.isCompact === isCompact).map(card));
    this.gallery.append(
      element("summary", {}, `All ${this.tasks.length} tasks`),
      element("h2", {}, "SynLogic tasks, which are public and were part of MiniMax-M1's training"),
      list(false),
      element("h2", {}, "Compact tasks, on which small models are trained"),
      list(true),
    );
  }

  /** The puzzle that the address names; values that the task does not have are replaced by its first ones. */
  private choice(): { entry: TaskEntry; choice: PuzzleChoice } {
    const { task, level, language, seed, puzzle } = this.state.value;
    const entry = this.tasks.find(({ name }) => name === task) ?? this.tasks.find(({ name }) => name === "kukurasu")!;
    const choice = {
      task: entry.name,
      level: entry.levels.includes(level) ? level : entry.levels[0]!,
      language: entry.languages.find((one) => one === language) ?? entry.languages[0]!,
      seed,
      index: Math.floor(puzzle) - 1,
    };
    return { entry, choice };
  }

  private showChoice(): void {
    const { entry, choice } = this.choice();
    if (JSON.stringify(choice) === JSON.stringify(this.shown)) return;
    const hasNewTask = entry.name !== this.shown?.task;
    this.shown = choice;
    this.taskSelect.value = entry.name;
    this.summary.textContent = entry.summary ?? "A puzzle in a fixed notation, sized for a model of a few million parameters.";
    if (hasNewTask) this.buildChoices(entry);
    for (const input of this.choices.querySelectorAll("input")) input.checked = [choice.level, choice.language].includes(input.value);
    void this.make(choice);
  }

  /** Levels and languages differ between tasks. */
  private buildChoices(entry: TaskEntry): void {
    const level = radios<string>({
      label: "Level",
      choices: entry.levels.map((value) => ({ value, label: levelLabels[value] ?? value })),
      onInput: (value) => this.state.set({ level: value, puzzle: 1 }),
    });
    const language = radios<string>({
      label: "Language of the question",
      choices: entry.languages.map((value) => ({ value, label: value === "zh" ? "Chinese" : "English" })),
      onInput: (value) => this.state.set({ language: value }),
    });
    this.choices.replaceChildren(level.element, ...(entry.languages.length > 1 ? [language.element] : []));
  }

  private async make(choice: PuzzleChoice): Promise<void> {
    this.row = undefined;
    this.setBusy(true);
    this.solution.replaceChildren();
    this.verdict.replaceChildren("Making the puzzle…");
    try {
      const { row, example } = await this.client.call({ kind: "make", choice });
      if (choice !== this.shown) return;
      this.row = row;
      this.question.textContent = row.question;
      this.question.lang = choice.language;
      this.example.replaceChildren(
        ...(example
          ? [element("p", {}, "How answers are written: another puzzle and its answer"), element("pre", {}, example.question)]
          : []),
        ...(example ? [element("pre", {}, example.answer)] : []),
      );
      this.answer.value = keptInTab<string>(storageKey(choice)) ?? "";
      this.verdict.replaceChildren(`Puzzle ${formatInteger(choice.index + 1)} of seed ${choice.seed}.`);
      this.verdict.className = "task-verdict";
      this.setBusy(false);
    } catch (error) {
      if (choice === this.shown) this.fail(error);
    }
  }

  private setBusy(isBusy: boolean): void {
    this.question.setAttribute("aria-busy", String(isBusy));
    // The last action makes the next puzzle, which is always possible.
    for (const action of this.actions.slice(0, -1)) action.disabled = isBusy;
  }

  private async check(): Promise<void> {
    const { row } = this;
    if (!row) return;
    if (this.answer.value.trim() === "") {
      this.verdict.className = "task-verdict";
      this.verdict.replaceChildren("Type an answer first.");
      this.answer.focus();
      return;
    }
    try {
      const judgement = await this.client.call({ kind: "judge", row, text: this.answer.value });
      if (row === this.row) this.showVerdict(judgement);
    } catch (error) {
      this.fail(error);
    }
  }

  private showVerdict({ right, reason, found, published }: Judgement): void {
    const word = right === null ? "Undecided" : right ? "Right" : "Wrong";
    this.verdict.className = `task-verdict ${word.toLowerCase()}`;
    const remarks = [
      ...(found !== undefined ? [`Answer that was read: ${found}`] : []),
      ...(published !== undefined ? [publishedRemark(published, right)] : []),
    ];
    this.verdict.replaceChildren(
      element("p", {}, element("strong", {}, word), ` ${sentence(reason)}`),
      ...remarks.map((text) => element("p", { class: "task-remark" }, text)),
    );
  }

  private async solve(): Promise<void> {
    const { row } = this;
    if (!row) return;
    try {
      const { text, answer } = await this.client.call({ kind: "solve", row });
      if (row !== this.row) return;
      const use = button("Put it into the answer field", () => {
        this.answer.value = answer;
        this.answer.dispatchEvent(new Event("input"));
        this.answer.focus();
      });
      this.solution.replaceChildren(element("p", {}, "A solution:"), element("pre", {}, text), use);
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.verdict.className = "task-verdict wrong";
    this.verdict.replaceChildren(sentence(messageOf(error)));
  }
}

/** What the levels of the published tasks mean. Those of compact tasks are numbers. */
const levelLabels: Readonly<Record<string, string>> = {
  tiny: "tiny (smaller than published)",
  easy: "easy (the easiest published)",
  medium: "medium",
  hard: "hard (the hardest published)",
};

const displayName = (name: string) => name.replace(/^compact\//, "").replaceAll(/[_-]/g, " ");

function publishedRemark(published: Judgement["published"], right: boolean | null): string {
  const verdicts = {
    true: "accepts this answer",
    false: "refuses this answer",
    error: "fails on this text",
    evaluates: "would run this text as code",
  };
  const differs = published !== right ? ", which is one of its faults" : "";
  return `SynLogic's own verifier ${verdicts[String(published) as keyof typeof verdicts]}${right === null ? "" : differs}.`;
}

customElements.define("m1-tasks", TasksView);

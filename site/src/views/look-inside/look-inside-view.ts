// `<m1-look-inside>`: what every layer of the bundled model does with every token, while it runs and afterwards.

import { button, radios, select, slider } from "../../shared/controls.ts";
import { element } from "../../shared/dom.ts";
import type { FigureSpec } from "../../shared/figure.ts";
import { FrameQueue } from "../../shared/frame-queue.ts";
import { LiveModel, savesData } from "../../shared/live-model.ts";
import { formatBytes, formatInteger, formatNumber, formatPercent } from "../../shared/numbers.ts";
import { choiceField, numberField, UrlState } from "../../shared/state.ts";
import { PuzzleClient } from "../tasks/puzzle-client.ts";
import { FORMATS, type Format, LEVELS, type Level } from "../think/formats.ts";
import { halfLife, remaining, slopesOf } from "./heads.ts";
import { memoryAt } from "./memory.ts";
import { MemoryBars } from "./memory-bars.ts";
import { decayFigure, halfLifeFigure, memoryFigure } from "./model-figures.ts";
import { type ShownModelName, shownModels } from "./shown-models.ts";
import { sharesInState, sharesOverTime } from "./states.ts";
import { type ChosenToken, contextFigure, expertsFigure, laterFigure, nextFigure, normsFigure, tokenName } from "./token-figures.ts";
import { TokenRow } from "./token-row.ts";
import { attentionOf, headHistory, type TokenTrace, traceTokens, visibleText } from "./trace.ts";

interface State {
  readonly task: Format;
  readonly level: Level;
  readonly puzzle: number;
  /** The number of the chosen token, from 1. 0 for the newest one. */
  readonly token: number;
  /** Layer and head of the bundled model, from 1. */
  readonly layer: number;
  readonly head: number;
  /** The model in the charts of memory and decay. */
  readonly model: ShownModelName;
  /** Layer of the published model, from 1. */
  readonly realLayer: number;
}

const MAX_TOKENS = 256;

const { config } = shownModels.bundled;
const layers = config.attnTypeList.map((type, i) => ({ value: String(i + 1), label: `${i + 1}: ${type === 0 ? "lightning" : "softmax"}` }));
const heads = Array.from({ length: config.numAttentionHeads }, (_, i) => ({ value: String(i + 1), label: String(i + 1) }));

class LookInsideView extends HTMLElement {
  private started = false;
  private readonly client = new PuzzleClient();
  private readonly model = new LiveModel(true);
  private readonly queue = new FrameQueue();
  /** Text and shades of the chosen token do not wait for the charts. */
  private readonly tokenQueue = new FrameQueue();
  private state!: UrlState<State>;
  private tokens: TokenTrace[] = [];
  /** The puzzle of the run, as JSON. */
  private puzzle = "";
  private running: AbortController | undefined;
  /** Figures in the window. The others are drawn when a run has ended, or when they come into the window. */
  private readonly visible = new Set<Element>();
  private readonly observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.visible.add(target);
      else this.visible.delete(target);
    }
    if (this.running) this.drawRun();
  });

  private readonly row = new TokenRow((index) => this.state.set({ token: index + 1 }));
  private readonly memoryBars = new MemoryBars(shownModels.bundled, MAX_TOKENS);
  private readonly status = element("p", { role: "status", class: "look-status" });
  private readonly reading = element("p", { class: "view-reading look-reading", "aria-live": "polite" });
  private readonly memoryReading = element("p", { class: "view-reading" });
  private readonly decayReading = element("p", { class: "view-reading" });
  private readonly runButton = button("Run", () => (this.running ? this.stop() : void this.run()));
  private readonly figures = {
    context: element("m1-figure"),
    memory: element("m1-figure"),
    halfLives: element("m1-figure"),
    decay: element("m1-figure"),
    later: element("m1-figure"),
    next: element("m1-figure"),
    experts: element("m1-figure"),
    norms: element("m1-figure"),
  };
  private readonly shareNote = element(
    "p",
    {},
    "A state is a sum of what every token so far has added. The share of a token is its part of that sum. The shares add up to 100%; a token " +
      "that works against the others has a negative one.",
  );
  private readonly details = element("div", { class: "look-figures" });

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    this.build();
    // The frame after the next one: the charts that need no model are then on the screen.
    requestAnimationFrame(() => requestAnimationFrame(() => this.runUnlessSaving()));
  }

  private build(): void {
    this.state = new UrlState<State>({
      task: choiceField<Format>("sudoku", FORMATS),
      level: choiceField<Level>("2", LEVELS),
      puzzle: numberField(0, { min: 0, max: 1e9 }),
      token: numberField(0, { min: 0, max: 1e6 }),
      layer: numberField(1, { min: 1, max: layers.length }),
      head: numberField(2, { min: 1, max: heads.length }),
      model: choiceField<ShownModelName>("bundled", ["bundled", "real"]),
      realLayer: numberField(1, { min: 1, max: shownModels.real.config.numHiddenLayers }),
    });
    const task = select<Format>({
      label: "Puzzle",
      choices: FORMATS.map((value) => ({ value, label: value.replaceAll("-", " ") })),
      onInput: (value) => this.state.set({ task: value, puzzle: 0, token: 0 }),
    });
    const level = select<Level>({
      label: "Level",
      choices: LEVELS.map((value) => ({ value, label: value })),
      onInput: (value) => this.state.set({ level: value, puzzle: 0, token: 0 }),
    });
    const nextPuzzle = button("Next puzzle", () => this.state.set({ puzzle: this.state.value.puzzle + 1, token: 0 }));
    const layerChoices = [0, 1].map(() =>
      select({ label: "Layer", choices: layers, onInput: (value) => this.state.set({ layer: Number(value) }) }),
    );
    const headChoices = [0, 1].map(() =>
      select({ label: "Head", choices: heads, onInput: (value) => this.state.set({ head: Number(value) }) }),
    );
    const shown = radios<ShownModelName>({
      label: "Model",
      choices: [
        { value: "bundled", label: "the bundled model, which runs here: 3.4 million parameters" },
        { value: "real", label: "MiniMax-M1: 456 billion parameters" },
      ],
      onInput: (value) => this.state.set({ model: value }),
    });
    const realLayer = slider({
      label: "Layer",
      min: 1,
      max: shownModels.real.config.numHiddenLayers,
      step: 1,
      onInput: (value) => this.state.set({ realLayer: value }),
    });
    realLayer.element.classList.add("look-slider");
    const step = (by: number) => () => {
      const index = Math.min(this.tokens.length - 1, Math.max(0, this.index + by));
      if (this.tokens.length > 0) this.state.set({ token: index + 1 });
    };
    const { figures } = this;
    for (const figure of Object.values(figures)) this.observer.observe(figure);
    this.details.append(figures.next, figures.experts);
    this.prepend(
      element(
        "div",
        { class: "view-controls look-controls" },
        task.element,
        level.element,
        layerChoices[0]!.element,
        headChoices[0]!.element,
      ),
      element("div", { class: "look-actions" }, this.runButton, nextPuzzle, this.status),
      this.memoryBars.element,
      element("div", { class: "look-run" }, this.row.element),
      this.reading,
      this.shareNote,
      figures.context,
      this.model.element,
    );
    this.section("memory").append(element("div", { class: "view-controls look-model" }, shown.element), this.memoryReading, figures.memory);
    this.section("decay").append(
      element("div", { class: "view-controls look-controls" }, layerChoices[1]!.element, headChoices[1]!.element, realLayer.element),
      this.decayReading,
      element("div", { class: "look-figures" }, figures.halfLives, figures.decay, figures.later, figures.norms),
    );
    this.section("token").append(
      element("div", { class: "look-actions" }, button("Previous token", step(-1)), button("Following token", step(1))),
      this.details,
    );
    this.state.subscribe((values) => {
      task.show(values.task);
      level.show(values.level);
      for (const choice of layerChoices) choice.show(String(values.layer));
      for (const choice of headChoices) choice.show(String(values.head));
      shown.show(values.model);
      realLayer.show(values.realLayer);
      const isReal = values.model === "real";
      realLayer.element.hidden = !isReal;
      layerChoices[1]!.element.hidden = isReal;
      headChoices[1]!.element.hidden = isReal;
      this.drawModel();
      this.drawRun();
      if (this.puzzle !== "" && this.puzzle !== this.chosenPuzzle()) void this.run();
    });
  }

  /** A section of the page, which has its heading and its text. The search finds those there. */
  private section(name: string): HTMLElement {
    return this.querySelector<HTMLElement>(`[data-part="${name}"]`)!;
  }

  private chosenPuzzle(): string {
    const { task, level, puzzle } = this.state.value;
    return JSON.stringify({ task, level, index: Math.floor(puzzle) });
  }

  private runUnlessSaving(): void {
    if (savesData()) this.model.wait("Your browser asks to save data. The model (7 MB) is loaded when you press Run.");
    else void this.run();
  }

  /** Runs the chosen puzzle in place of the previous one. */
  private async run(): Promise<void> {
    this.running?.abort();
    const running = new AbortController();
    const { signal } = running;
    this.running = running;
    this.puzzle = this.chosenPuzzle();
    this.tokens = [];
    this.row.clear();
    this.runButton.textContent = "Stop";
    this.status.textContent = "Running…";
    this.reading.setAttribute("aria-live", "off");
    try {
      const [model, question] = await Promise.all([
        this.model.load(),
        this.client.call({ kind: "question", choice: JSON.parse(this.puzzle) }),
      ]);
      for await (const token of traceTokens(model, question, { maxTokens: MAX_TOKENS, signal })) {
        if (signal.aborted) return;
        this.tokens.push(token);
        this.row.push(token);
        this.drawRun();
      }
      if (!signal.aborted) this.endRun(`${formatInteger(this.tokens.length)} tokens. Choose one by a click or with the arrow keys.`);
    } catch (error) {
      if (!signal.aborted) this.endRun(error instanceof Error ? error.message : String(error));
    }
  }

  private stop(): void {
    this.running?.abort();
    this.endRun(`Stopped after ${formatInteger(this.tokens.length)} tokens.`);
  }

  private endRun(status: string): void {
    this.running = undefined;
    this.runButton.textContent = "Run again";
    this.status.textContent = status;
    this.drawRun();
    this.queue.add("announce", () => this.reading.setAttribute("aria-live", "polite"));
  }

  /** The index of the chosen token: the newest one, unless the reader chose another. */
  private get index(): number {
    const { token } = this.state.value;
    return token >= 1 && token <= this.tokens.length ? Math.floor(token) - 1 : this.tokens.length - 1;
  }

  /** Draws what does not depend on the run. */
  private drawModel(): void {
    const { model } = this.state.value;
    const marked = model === "bundled" ? this.chosenHead() : undefined;
    this.queue.add("halfLives", () => this.figures.halfLives.show(halfLifeFigure(shownModels[model], marked)));
  }

  /** Draws what a token may have changed, one part per frame. */
  private drawRun(): void {
    const { figures, queue } = this;
    const hasTokens = this.tokens.length > 0;
    const slope = this.slope();
    const showsRun = hasTokens && slope !== undefined && this.state.value.model === "bundled";
    const show = (name: keyof typeof figures, spec: () => FigureSpec | undefined) => {
      if (this.running && !this.visible.has(figures[name])) return;
      queue.add(name, () => {
        const made = spec();
        if (made) figures[name].show(made);
      });
    };
    // When it is the turn of a drawing, another run may have begun that has no tokens yet.
    const ofToken = (make: (token: ChosenToken) => FigureSpec | undefined) => () =>
      this.tokens.length > 0 ? make(this.chosenToken()) : undefined;
    // A key moves from the marked token, so that marking must not wait.
    if (hasTokens) this.row.choose(this.index);
    this.details.hidden = !hasTokens;
    figures.context.hidden = !hasTokens;
    this.shareNote.hidden = !hasTokens || slope === undefined;
    figures.norms.hidden = !showsRun;
    figures.later.hidden = !showsRun || this.index === this.tokens.length - 1;
    this.tokenQueue.add("token", () => this.drawToken());
    queue.add("memory bars", () => this.memoryBars.show(this.index + 1));
    show(
      "context",
      ofToken((token) => contextFigure(token, this.shares(), this.slope() !== undefined)),
    );
    show("memory", () => this.memory());
    queue.add("decay reading", () => this.readDecay());
    show("decay", () => this.decay());
    show(
      "later",
      ofToken((token) => this.later(token)),
    );
    show(
      "norms",
      ofToken((token) => (this.slope() === undefined ? undefined : normsFigure(token))),
    );
    show("next", ofToken(nextFigure));
    show(
      "experts",
      ofToken((token) => expertsFigure(token, config)),
    );
  }

  private chosenHead(): { readonly layer: number; readonly head: number } {
    const { layer, head } = this.state.value;
    return { layer: Math.floor(layer) - 1, head: Math.floor(head) - 1 };
  }

  /** The slope of the chosen head. Undefined in a softmax layer. */
  private slope(): number | undefined {
    const { layer, head } = this.chosenHead();
    return slopesOf(config, layer)?.[head];
  }

  private chosenToken(): ChosenToken {
    return { tokens: this.tokens, index: this.index, ...this.chosenHead() };
  }

  /** How much of each token so far the chosen head uses at the chosen token. */
  private shares(): number[] {
    const { tokens, index, layer, head } = this.chosenToken();
    if (tokens.length === 0) return [];
    const slope = this.slope();
    if (slope === undefined) return attentionOf(tokens[index]!, layer, head, index);
    return sharesInState(headHistory(tokens, layer, head), remaining(slope, 1), index);
  }

  private drawToken(): void {
    const { tokens, index, layer, head } = this.chosenToken();
    if (tokens.length === 0) {
      this.reading.textContent = "";
      return;
    }
    const shares = this.shares();
    this.row.shade(shares);
    const largest = shares
      .map((share, i) => ({ share, i }))
      .sort((a, b) => b.share - a.share)
      .slice(0, 3)
      .map(({ share, i }) => `${tokenName(tokens, i)} ${formatPercent(share, 2)}`)
      .join(", ");
    const { text, isGenerated } = tokens[index]!;
    this.reading.textContent =
      `Token ${index + 1} of ${tokens.length}, “${visibleText(text)}”, ${isGenerated ? "was written by the model" : "belongs to the prompt"}. ` +
      (this.slope() !== undefined
        ? `The state of layer ${layer + 1}, head ${head + 1} now consists mostly of ${largest}.`
        : `Layer ${layer + 1}, head ${head + 1} looks most at ${largest}.`);
  }

  private memory(): FigureSpec {
    const { model } = this.state.value;
    const shown = shownModels[model];
    const tokens = model === "bundled" && this.tokens.length > 0 ? this.index + 1 : undefined;
    const at = memoryAt(shown.config, tokens ?? shown.memoryTokens, shown.kv);
    const { headDim, numAttentionHeads, attnTypeList } = shown.config;
    const lightningLayers = attnTypeList.filter((type) => type === 0).length;
    this.memoryReading.textContent =
      `The states of ${shown.name} have ${lightningLayers} layers × ${numAttentionHeads} heads × ${headDim} × ${headDim} numbers. ` +
      `After ${formatInteger(at.tokens)} tokens, they take ${formatBytes(at.states)}, as after the first token, and the cache ` +
      `${formatBytes(at.cache)}. With softmax attention in all layers, the cache would have ${formatBytes(at.cacheOnly)}.`;
    return memoryFigure(shown, tokens);
  }

  private decay(): FigureSpec {
    const { model, realLayer } = this.state.value;
    if (model === "real") return decayFigure(shownModels.real, Math.floor(realLayer) - 1, undefined);
    const { layer, head } = this.chosenHead();
    return decayFigure(shownModels.bundled, layer, head);
  }

  private later(token: ChosenToken): FigureSpec | undefined {
    const slope = this.slope();
    if (slope === undefined) return undefined;
    const shares = sharesOverTime(headHistory(token.tokens, token.layer, token.head), remaining(slope, 1), token.index);
    return laterFigure(token, shares, slope);
  }

  private readDecay(): void {
    const { model, realLayer } = this.state.value;
    const isReal = model === "real";
    const shown = shownModels[model];
    const layer = isReal ? Math.floor(realLayer) - 1 : this.chosenHead().layer;
    const slopes = slopesOf(shown.config, layer);
    if (!slopes) {
      this.decayReading.textContent = `Layer ${layer + 1} has softmax attention: nothing decays, and the cache grows by every token.`;
    } else if (isReal) {
      const lives = slopes.map(halfLife);
      this.decayReading.textContent =
        `The half-lives of the ${slopes.length} heads of layer ${layer + 1} are ${formatNumber(Math.min(...lives), 3)} ` +
        `to ${formatNumber(Math.max(...lives), 3)} tokens.`;
    } else {
      const { head } = this.chosenHead();
      const slope = slopes[head]!;
      this.decayReading.textContent =
        `Layer ${layer + 1}, head ${head + 1}: λ = ${formatNumber(slope, 3)}, so that each token multiplies the state by ${formatNumber(Math.exp(-slope), 4)}. ` +
        `Half of a token is left after ${formatNumber(halfLife(slope), 3)} tokens, 1% after ${formatNumber(Math.log(100) / slope, 3)}.` +
        (this.tokens.length > 0 && this.index === this.tokens.length - 1
          ? " Choose an earlier token to see what the head still holds of it."
          : "");
    }
  }
}

customElements.define("m1-look-inside", LookInsideView);

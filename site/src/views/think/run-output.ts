// The thinking and the answer of one run, in separate regions, as tokens arrive.

import { ReasoningSplitter } from "lightning-m1";
import { element, uniqueId } from "../../shared/dom.ts";
import { formatInteger, formatNumber } from "../../shared/numbers.ts";

/** A region whose text grows. Screen readers are told about it by the view's status, not by every token. */
function region(title: string) {
  const heading = element("h2", { id: uniqueId("run") }, title);
  const text = element("pre");
  return { element: element("section", { "aria-labelledby": heading.id, "aria-busy": "false" }, heading, text), text };
}

export class RunOutput {
  private readonly title = element("p", { class: "think-title" });
  private readonly question = element("pre", { class: "think-question" });
  private readonly thinking = region("Thinking");
  private readonly answer = region("Answer");
  private readonly rate = element("p", { class: "think-rate" });
  readonly element = element(
    "div",
    { class: "think-run" },
    this.title,
    this.question,
    this.thinking.element,
    this.answer.element,
    this.rate,
  );

  private splitter = new ReasoningSplitter();
  private whole = "";
  private tokens = 0;
  private firstAt = 0;
  private lastAt = 0;
  /** Text that has arrived since the last frame. */
  private pending = { reasoning: "", content: "" };
  private frame: number | undefined;
  private showsRate = true;

  constructor() {
    this.element.hidden = true;
  }

  /** The whole text of the run so far. */
  get text(): string {
    return this.whole;
  }

  /** Starts a new run. @param showsRate whether the tokens arrive as fast as they are computed */
  begin(title: string, question: string, showsRate = true): void {
    this.cancelFrame();
    this.element.hidden = false;
    this.showsRate = showsRate;
    this.splitter = new ReasoningSplitter();
    this.whole = "";
    this.tokens = 0;
    this.pending = { reasoning: "", content: "" };
    this.title.textContent = title;
    this.question.textContent = question;
    for (const { text, element } of [this.thinking, this.answer]) {
      text.replaceChildren();
      element.setAttribute("aria-busy", "true");
    }
    this.rate.textContent = "";
  }

  /** Adds a token, which is shown in the next frame. */
  push(text: string): void {
    this.lastAt = performance.now();
    if (this.tokens === 0) this.firstAt = this.lastAt;
    this.tokens++;
    this.whole += text;
    this.add(this.splitter.push(text));
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  /** Ends the run. Shows what is pending at once, because hidden tabs draw no frames. */
  end(): void {
    this.add(this.splitter.end());
    this.draw();
    for (const { element } of [this.thinking, this.answer]) element.setAttribute("aria-busy", "false");
  }

  /** Replaces the rate, for a run that is not live. */
  note(text: string): void {
    this.rate.textContent = text;
  }

  private add({ reasoning, content }: { readonly reasoning: string; readonly content: string }): void {
    this.pending.reasoning += reasoning;
    this.pending.content += content;
  }

  private draw(): void {
    this.cancelFrame();
    appendText(this.thinking.text, this.pending.reasoning);
    appendText(this.answer.text, this.pending.content);
    this.pending = { reasoning: "", content: "" };
    const seconds = (this.lastAt - this.firstAt) / 1000;
    const rate = this.showsRate && seconds > 0 ? `, ${formatNumber((this.tokens - 1) / seconds, 3)} tokens/s` : "";
    this.rate.textContent = this.tokens === 0 ? "" : `${formatInteger(this.tokens)} tokens${rate}`;
  }

  private cancelFrame(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.frame = undefined;
  }
}

/** Appends text. The line break between a tag and its text is left out at the start of a region. */
function appendText(to: HTMLElement, text: string): void {
  const added = to.firstChild ? text : text.trimStart();
  if (added) to.append(added);
}

// All tokens of a run as a list, of which one is chosen: by a click, or by arrow keys.

import { element, uniqueId } from "../../shared/dom.ts";
import { type TokenTrace, visibleText } from "./trace.ts";

export class TokenRow {
  readonly element = element("div", {
    role: "listbox",
    class: "look-tokens",
    tabindex: 0,
    "aria-label": "Tokens of the run",
    "aria-orientation": "horizontal",
  });
  private readonly options: HTMLElement[] = [];
  private chosen: number | undefined;
  private readonly prefix = uniqueId("token");

  /** @param onChoose called with the index of the token that the reader chooses */
  constructor(private readonly onChoose: (index: number) => void) {
    this.element.hidden = true;
    this.element.addEventListener("click", (event) => {
      const index = this.options.indexOf((event.target as HTMLElement).closest<HTMLElement>("[role=option]")!);
      if (index >= 0) this.onChoose(index);
    });
    this.element.addEventListener("keydown", (event) => {
      const index = this.target(event.key);
      if (index === undefined) return;
      event.preventDefault();
      this.onChoose(index);
    });
  }

  clear(): void {
    this.options.length = 0;
    this.chosen = undefined;
    this.element.replaceChildren();
    this.element.removeAttribute("aria-activedescendant");
    this.element.hidden = true;
  }

  push({ text, isGenerated }: TokenTrace): void {
    const index = this.options.length;
    const option = element(
      "span",
      { role: "option", id: `${this.prefix}-${index}`, "aria-selected": "false", class: isGenerated ? "generated" : undefined },
      visibleText(text),
    );
    this.options.push(option);
    this.element.append(option);
    this.element.hidden = false;
  }

  /** Marks the chosen token. */
  choose(index: number): void {
    if (index === this.chosen) return;
    if (this.chosen !== undefined) this.options[this.chosen]?.setAttribute("aria-selected", "false");
    const option = this.options[index];
    this.chosen = option && index;
    option?.setAttribute("aria-selected", "true");
    if (option) this.element.setAttribute("aria-activedescendant", option.id);
  }

  /** Shades the tokens. @param shares the largest one has the full colour; tokens without a share have none */
  shade(shares: readonly number[]): void {
    const max = Math.max(...shares, Number.MIN_VALUE);
    for (const [i, option] of this.options.entries()) {
      option.style.setProperty("--share", Math.max(0, (shares[i] ?? 0) / max).toFixed(3));
    }
  }

  /** The token to which a key leads. Undefined for other keys. */
  private target(key: string): number | undefined {
    const { options, chosen = options.length - 1 } = this;
    const last = options.length - 1;
    switch (key) {
      case "ArrowLeft":
        return Math.max(0, chosen - 1);
      case "ArrowRight":
        return Math.min(last, chosen + 1);
      case "ArrowUp":
        return this.inLine(chosen, -1);
      case "ArrowDown":
        return this.inLine(chosen, 1);
      case "Home":
        return 0;
      case "End":
        return last;
      default:
        return undefined;
    }
  }

  /** The token above or below another one. */
  private inLine(from: number, direction: 1 | -1): number {
    const start = this.options[from]!;
    let nearest: number | undefined;
    let line: number | undefined;
    for (let i = from + direction; this.options[i]; i += direction) {
      const { offsetTop, offsetLeft } = this.options[i]!;
      if (offsetTop === start.offsetTop) continue;
      line ??= offsetTop;
      if (offsetTop !== line) break;
      const distance = (index: number) => Math.abs(this.options[index]!.offsetLeft - start.offsetLeft);
      if (nearest === undefined || Math.abs(offsetLeft - start.offsetLeft) < distance(nearest)) nearest = i;
    }
    return nearest ?? from;
  }
}

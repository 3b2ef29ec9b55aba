// The memory of a run, as bars that grow or do not grow while tokens come.

import { element } from "../../shared/dom.ts";
import { formatBytes } from "../../shared/numbers.ts";
import { memoryAt } from "./memory.ts";
import type { ShownModel } from "./shown-models.ts";

interface Bar {
  readonly element: HTMLElement;
  show(bytes: number): void;
}

function bar(label: string, maxBytes: number): Bar {
  const fill = element("span", { class: "look-bar" });
  const value = element("span", { class: "look-bytes" });
  return {
    element: element("div", {}, element("dt", {}, label), element("dd", {}, fill, value)),
    show: (bytes) => {
      fill.style.setProperty("--share", Math.min(1, bytes / maxBytes).toFixed(4));
      value.textContent = formatBytes(bytes);
    },
  };
}

export class MemoryBars {
  private readonly states: Bar;
  private readonly cache: Bar;
  private readonly cacheOnly: Bar;
  readonly element: HTMLElement;

  /** @param maxTokens the number of tokens at which the longest bar is full */
  constructor(
    private readonly model: ShownModel,
    maxTokens: number,
  ) {
    const layers = model.config.numHiddenLayers;
    const softmax = model.config.attnTypeList.filter((type) => type === 1).length;
    const max = memoryAt(model.config, maxTokens, model.kv).cacheOnly;
    this.states = bar(`States of ${layers - softmax} lightning layers`, max);
    this.cache = bar(`Cache of ${softmax === 1 ? "the softmax layer" : `${softmax} softmax layers`}`, max);
    this.cacheOnly = bar(`Cache, if all ${layers} layers had softmax attention`, max);
    this.element = element("dl", { class: "look-memory" }, this.states.element, this.cache.element, this.cacheOnly.element);
    this.show(0);
  }

  show(tokens: number): void {
    const { states, cache, cacheOnly } = memoryAt(this.model.config, tokens, this.model.kv);
    this.states.show(states);
    this.cache.show(cache);
    this.cacheOnly.show(cacheOnly);
  }
}

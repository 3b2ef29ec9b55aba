// `<m1-model-choice>`: the published model, or a config.json that is pasted, dropped or opened.

import { radios } from "../../shared/controls.ts";
import { element, uniqueId } from "../../shared/dom.ts";
import { formatCount, formatInteger } from "../../shared/numbers.ts";
import { messageOf, sentence, withFullStop } from "../../shared/sentences.ts";
import { keepInTab, keptInTab } from "../../shared/session.ts";
import { choiceField, UrlState } from "../../shared/state.ts";
import { type ChosenModel, chooseModel, chosenModel, publishedModel, readModel } from "./chosen-model.ts";

type Choice = "published" | "own";

/** The pasted text survives a reload of the tab. It is not in the address, so that it is sent nowhere. */
const STORAGE_KEY = "lightning-m1:config";
const READ_DELAY_MS = 300;

class ModelChoice extends HTMLElement {
  private started = false;
  private readonly status = element("p", { role: "status" });
  private text: HTMLTextAreaElement | undefined;
  private pending: number | undefined;

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    const state = new UrlState<{ model: Choice }>({ model: choiceField<Choice>("published", ["published", "own"]) });
    const choice = radios<Choice>({
      label: "Model",
      choices: [
        { value: "published", label: "MiniMax-M1 (its versions 40k and 80k have the same tensors)" },
        { value: "own", label: "your own config.json" },
      ],
      onInput: (model) => state.set({ model }),
    });
    const own = this.ownConfig((text) => {
      keepInTab(STORAGE_KEY, text);
      if (state.value.model === "own") this.read(text);
      else state.set({ model: "own" });
    });
    this.classList.add("not-content", "view");
    this.append(element("div", { class: "view-controls" }, choice.element, own), this.status);

    let shown: Choice | undefined;
    state.subscribe(({ model }) => {
      choice.show(model);
      own.hidden = model !== "own";
      if (model === shown) return;
      shown = model;
      if (model === "own") this.read(this.text!.value);
      else this.use(publishedModel);
    });
  }

  /** The text area and the file input. The whole view takes dropped files. */
  private ownConfig(onText: (text: string) => void): HTMLElement {
    const id = uniqueId("config");
    const text = element("textarea", {
      id,
      rows: 6,
      spellcheck: "false",
      "aria-describedby": `${id}-hint`,
      placeholder: '{ "model_type": …',
    });
    text.value = keptInTab<string>(STORAGE_KEY) ?? "";
    this.text = text;
    const use = (content: string) => {
      text.value = content;
      onText(content);
    };
    const open = (file: File | null | undefined) => file?.text().then(use, (error) => this.fail(error));
    text.addEventListener("input", () => {
      window.clearTimeout(this.pending);
      this.pending = window.setTimeout(() => onText(text.value), READ_DELAY_MS);
    });
    const file = element("input", { type: "file", id: `${id}-file`, accept: ".json,application/json" });
    file.addEventListener("change", () => open(file.files?.[0]));
    this.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    this.addEventListener("drop", (event) => {
      const dropped = event.dataTransfer?.files[0];
      if (!dropped) return;
      event.preventDefault();
      open(dropped);
    });
    return element(
      "div",
      { class: "control model-own" },
      element("label", { for: id }, "Paste a config.json, or drop the file here"),
      text,
      element("label", { for: `${id}-file` }, "or open it"),
      file,
      element(
        "p",
        { id: `${id}-hint` },
        "Architectures: MiniMax-M1, MiniMax-Text-01, transformers' minimax, and HypeNet. The file does not leave this tab.",
      ),
    );
  }

  private read(text: string): void {
    if (text.trim() === "") {
      this.use(publishedModel);
      this.status.textContent = "No config.json yet: what follows shows MiniMax-M1.";
      return;
    }
    try {
      this.use(readModel(text));
    } catch (error) {
      this.fail(error);
    }
  }

  private use(model: ChosenModel): void {
    const { graph, name, warnings } = model;
    const { attnTypeList } = graph.config;
    const softmax = attnTypeList.filter((type) => type === 1).length;
    this.status.classList.remove("view-error");
    this.status.textContent =
      `${name}: ${formatInteger(graph.parameterCount)} parameters, of which a token uses ${formatCount(graph.activatedParameterCount)}; ` +
      `${attnTypeList.length} layers, ${attnTypeList.length - softmax} with lightning and ${softmax} with softmax attention.` +
      warnings.map((warning) => ` ${sentence(warning.replace(/^config: /, ""))}`).join("");
    chooseModel(model);
  }

  private fail(error: unknown): void {
    this.status.classList.add("view-error");
    const shown = chosenModel().isPublished ? publishedModel.name : "the configuration that was valid before";
    this.status.textContent = `This file cannot be used. ${refusal(messageOf(error))} What follows still shows ${shown}.`;
  }
}

/** The library's reason as sentences about the file: the entry that is wrong comes first. */
function refusal(message: string): string {
  const [, key, reason] = /^config: ([\w.]+): (.*)$/s.exec(message) ?? [];
  if (key === "architecture") return `Its architecture is not supported: ${withFullStop(reason!)}`;
  if (key !== undefined) return `Its entry ${key} is not valid: ${withFullStop(reason!)}`;
  return sentence(message.replace(/^config(\.json)?: /, ""));
}

customElements.define("m1-model-choice", ModelChoice);

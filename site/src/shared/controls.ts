// Labelled controls. Each returns its element and a function that shows a value without calling `onInput`.

import { element, uniqueId } from "./dom.ts";
import { formatNumber } from "./numbers.ts";

export interface Control<T> {
  readonly element: HTMLElement;
  show(value: T): void;
}

export interface SliderOptions {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** How the value is shown beside the slider and read by screen readers. */
  readonly format?: (value: number) => string;
  readonly onInput: (value: number) => void;
}

export function slider({ label, min, max, step, format = formatNumber, onInput }: SliderOptions): Control<number> {
  const id = uniqueId("slider");
  const input = element("input", { type: "range", id, min, max, step });
  const output = element("output", { for: id });
  const show = (value: number) => {
    input.value = String(value);
    output.textContent = format(value);
    input.setAttribute("aria-valuetext", format(value));
  };
  input.addEventListener("input", () => {
    show(input.valueAsNumber);
    onInput(input.valueAsNumber);
  });
  return { element: element("div", { class: "control" }, element("label", { for: id }, label), input, output), show };
}

export interface ChoiceOptions<T extends string> {
  readonly label: string;
  readonly choices: readonly { readonly value: T; readonly label: string }[];
  readonly onInput: (value: T) => void;
}

/** One of several choices, as a select box. */
export function select<T extends string>({ label, choices, onInput }: ChoiceOptions<T>): Control<T> {
  const id = uniqueId("select");
  const input = element("select", { id }, ...choices.map((choice) => element("option", { value: choice.value }, choice.label)));
  input.addEventListener("change", () => onInput(input.value as T));
  return {
    element: element("div", { class: "control" }, element("label", { for: id }, label), input),
    show: (value) => {
      input.value = value;
    },
  };
}

/** One of a few choices, as radio buttons. */
export function radios<T extends string>({ label, choices, onInput }: ChoiceOptions<T>): Control<T> {
  const name = uniqueId("radios");
  const inputs = choices.map(({ value }) => element("input", { type: "radio", name, value }));
  for (const input of inputs) input.addEventListener("change", () => onInput(input.value as T));
  const labels = inputs.map((input, i) => element("label", {}, input, choices[i]!.label));
  return {
    element: element("fieldset", { class: "control" }, element("legend", {}, label), ...labels),
    show: (value) => {
      for (const input of inputs) input.checked = input.value === value;
    },
  };
}

/** A subset of the choices, as check boxes. */
export function checkboxes<T extends string>({
  label,
  choices,
  onInput,
}: Omit<ChoiceOptions<T>, "onInput"> & { readonly onInput: (values: readonly T[]) => void }): Control<readonly T[]> {
  const inputs = choices.map(({ value }) => element("input", { type: "checkbox", value }));
  const labels = inputs.map((input, i) => element("label", {}, input, choices[i]!.label));
  const values = () => inputs.filter((input) => input.checked).map((input) => input.value as T);
  for (const input of inputs) input.addEventListener("change", () => onInput(values()));
  return {
    element: element("fieldset", { class: "control" }, element("legend", {}, label), ...labels),
    show: (chosen) => {
      for (const input of inputs) input.checked = chosen.includes(input.value as T);
    },
  };
}

export interface TextInputOptions {
  readonly label: string;
  /** What is expected, for example `200k, 1M, 128Ki`. */
  readonly hint?: string;
  readonly inputMode?: "text" | "search" | "decimal";
  readonly onInput: (text: string) => void;
}

/** A line of text. `remark` shows what was understood, or why the text is not valid. */
export interface TextInput extends Control<string> {
  remark(text: string, isValid: boolean): void;
}

export function textInput({ label, hint, inputMode = "text", onInput }: TextInputOptions): TextInput {
  const id = uniqueId("text");
  const input = element("input", { type: inputMode === "search" ? "search" : "text", id, autocomplete: "off", spellcheck: "false" });
  const output = element("output", { for: id, id: `${id}-remark` });
  input.setAttribute("aria-describedby", output.id);
  output.textContent = hint ?? "";
  input.addEventListener("input", () => onInput(input.value));
  return {
    element: element("div", { class: "control control-text" }, element("label", { for: id }, label), input, output),
    show: (text) => {
      // Writing an equal value would move the cursor.
      if (input.value !== text) input.value = text;
    },
    remark: (text, isValid) => {
      output.textContent = text;
      input.setAttribute("aria-invalid", String(!isValid));
    },
  };
}

export function button(label: string, onClick: () => void): HTMLButtonElement {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", onClick);
  return made;
}

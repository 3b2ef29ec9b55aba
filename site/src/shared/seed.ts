// The seed of a view's random numbers, in the address and in a text field.

import { type TextInput, textInput } from "./controls.ts";
import { formatInteger } from "./numbers.ts";
import type { Field } from "./state.ts";

const MAX_SEED = 2 ** 32 - 1;

/** What readers are told whose text is no seed. */
export const SEED_RULE = `Enter a whole number from 0 to ${formatInteger(MAX_SEED)}.`;

function parseSeed(text: string): number | undefined {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  return value <= MAX_SEED ? value : undefined;
}

export const seedField: Field<number> = { initial: 1, parse: parseSeed, format: String };

/** A field for a seed. @param onInput receives the seed, or undefined if the text is none, which the field says */
export function seedInput(onInput: (seed: number | undefined) => void): TextInput {
  const input = textInput({
    label: "Seed",
    onInput: (text) => {
      const seed = parseSeed(text);
      input.remark(seed === undefined ? SEED_RULE : "", seed !== undefined);
      onInput(seed);
    },
  });
  return input;
}

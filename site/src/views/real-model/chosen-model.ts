// The model that all parts of the page show: the published one, or a config.json of the reader. The file stays in the tab.

import { type Graph, graph, minimaxM1, parseConfig } from "lightning-m1";
import { formatInteger } from "../../shared/numbers.ts";

export interface ChosenModel {
  readonly name: string;
  readonly graph: Graph;
  readonly isPublished: boolean;
  /** Remarks of the library about the configuration. */
  readonly warnings: readonly string[];
}

/** Maximum size of a configuration. Real ones have a few kilobytes. */
const MAX_CHARACTERS = 1_000_000;

/** Maximum number of tensors that the page can list without a pause. The published model has 8,243. */
const MAX_TENSORS = 20_000;

export const publishedModel: ChosenModel = { name: "MiniMax-M1", graph: graph(minimaxM1), isPublished: true, warnings: [] };

/**
 * Reads the text of a config.json.
 *
 * @throws {Error} text that is not JSON, or a configuration that the library refuses; the message says why
 */
export function readModel(text: string, name = "Your model"): ChosenModel {
  if (text.length > MAX_CHARACTERS) throw new Error("config.json: expected at most 1 MB, got a larger file");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`config.json: expected JSON (${error instanceof Error ? error.message : error})`);
  }
  const warnings: string[] = [];
  const config = parseConfig(json, (message) => warnings.push(message));
  // Most tensors are the three matrices of each expert.
  const tensors = config.attnTypeList.length * 3 * Math.max(1, config.numLocalExperts);
  if (tensors > MAX_TENSORS)
    throw new Error(`config.json: expected a model of at most ${formatInteger(MAX_TENSORS)} tensors, which this page can list, got more`);
  return { name, graph: graph(config), isPublished: false, warnings };
}

type Listener = (model: ChosenModel) => void;

let current = publishedModel;
const listeners = new Set<Listener>();

/** Calls a function with the chosen model, now and whenever it changes. */
export function onModel(listener: Listener): void {
  listeners.add(listener);
  listener(current);
}

export const chosenModel = (): ChosenModel => current;

export function chooseModel(model: ChosenModel): void {
  if (model === current) return;
  current = model;
  for (const listener of listeners) listener(model);
}

import type { LanguageModel } from "../../src/index.js";

/** The ids that m1-tiny samples with this seed, on any platform. */
export const SEEDED_IDS = [43, 300, 311, 52, 19, 190, 89, 112, 218, 295, 49, 228, 7, 21, 79, 116, 142, 26, 58, 89, 11, 133, 137, 268];

/** Samples with the settings with which {@link SEEDED_IDS} was sampled. */
export async function drawSeeded(model: LanguageModel): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of model.generate([1, 2, 3], { maxTokens: 24, temperature: 1, topP: 0.95, seed: 7 })) ids.push(id);
  return ids;
}

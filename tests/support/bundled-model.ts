import type { LanguageModel } from "../../src/index.js";
import texts from "./bundled-model-texts.json" with { type: "json" };

/** Answers of the bundled model with the simd kernels. They do not depend on the engine or on the number of threads. */
export const answers: readonly { readonly question: string; readonly seed: number; readonly text: string }[] = texts;

/** Returns the model's answers to the same questions, sampled as MiniMax recommends. */
export async function answersOf(model: LanguageModel): Promise<string[]> {
  const found: string[] = [];
  for (const { question, seed } of answers) {
    let text = "";
    const options = { temperature: 1, topP: 0.95, maxTokens: 300, seed };
    for await (const token of model.generate([{ role: "user", content: question }], options)) text += token.text;
    found.push(text);
  }
  return found;
}

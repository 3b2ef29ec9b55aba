// What the bundled model answers in Node. Pages are compared with it.
import { fileURLToPath } from "node:url";
import { type LoadOptions, MiniMaxM1, parseAssistant } from "lightning-m1";

export const loadInNode = (options?: LoadOptions): Promise<MiniMaxM1> =>
  MiniMaxM1.load(fileURLToPath(new URL("../../../models/m1-puzzles", import.meta.url)), options);

/** The tokens of a question and of its most probable answer, without the token that ends it. */
export async function answerTokens(model: MiniMaxM1, question: string): Promise<number[]> {
  const messages = [{ role: "user", content: question }] as const;
  const prompt = model.tokenizer!.encode(await model.formatChat(messages));
  const generated: number[] = [];
  for await (const { id } of model.generate(messages, { temperature: 0 })) generated.push(id);
  return [...prompt, ...generated.slice(0, -1)];
}

/** The text of an answer that is sampled with the page's default settings. `status` is the page's, and names the kernels that it uses. */
export async function sampledText(question: string, seed: number, status: string, options?: LoadOptions): Promise<string> {
  using model = await loadInNode({ ...options, build: status.endsWith("kernels for relaxed SIMD.") ? "relaxed" : "simd" });
  return await model.generate([{ role: "user", content: question }], { temperature: 1, topP: 0.95, seed }).text();
}

/** What the page Think shows of a text: the thinking and the answer. */
export function shownText(text: string): [thinking: string, answer: string] {
  const { reasoning, content } = parseAssistant(text);
  return [reasoning!.trimStart(), content.trimStart()];
}

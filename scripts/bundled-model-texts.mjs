// Writes tests/support/bundled-model-texts.json: answers of the bundled model, for tests that compare engines. Run it when the model has
// been trained anew.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MiniMaxM1 } from "../dist/node/index.js";
import { heldOut, tasks } from "../dist/node/rl.js";

const model = await MiniMaxM1.load(undefined, { build: "simd", threads: 1 });
const texts = [];
for (const [seed, task] of tasks.entries()) {
  const question = task.question(heldOut(task, 2, 1, 5)[0].instance);
  let text = "";
  for await (const token of model.generate([{ role: "user", content: question }], { temperature: 1, topP: 0.95, maxTokens: 300, seed }))
    text += token.text;
  texts.push({ question, seed, text });
}
writeFileSync(fileURLToPath(new URL("../tests/support/bundled-model-texts.json", import.meta.url)), `${JSON.stringify(texts, null, 2)}\n`);

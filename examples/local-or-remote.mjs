// One program, two places: the model in the box computes here, or the model behind an address answers.
//
//   node examples/local-or-remote.mjs
//
//   npx lightning-m1 serve                                        (in another terminal)
//   node examples/local-or-remote.mjs http://127.0.0.1:8000/v1
//
// It is the same model in both, so the same seed gives the same text.

import { MiniMaxM1 } from "lightning-m1";
import { RemoteModel } from "lightning-m1/remote";

const address = process.argv[2];
const model = address ? await RemoteModel.connect(address) : await MiniMaxM1.load();

const questions = [
  "Compute 8 + 9 - 8",
  "Which are true ? A : not F or F ; B : T and ( F or T ) ; C : not T",
  "Close the open brackets : ( [ {",
];
for (const [seed, content] of questions.entries()) {
  console.log(content);
  const answer = model.generate([{ role: "user", content }], { temperature: 1, topP: 0.95, seed });
  for await (const { text } of answer) process.stdout.write(text);
  console.log("\n");
}
model.dispose();

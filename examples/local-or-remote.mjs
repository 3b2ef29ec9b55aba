// One program, two places: without an argument the model in the box answers here; with the address of a server, the model behind it.
//   node examples/local-or-remote.mjs
//   node examples/local-or-remote.mjs http://127.0.0.1:8000/v1      (npx lightning-m1 serve, in another terminal)
// The same seed gives the same text.

import { MiniMaxM1 } from "lightning-m1";
import { RemoteModel } from "lightning-m1/remote";

const address = process.argv[2];
const model = address ? await RemoteModel.connect(address) : await MiniMaxM1.load(undefined, { build: "simd" });

const questions = ["Compute 3 + 4 - 2", "Sort these words : tree apple river", "Close the open brackets : ( [ {"];
for (const [seed, content] of questions.entries()) {
  process.stdout.write(`${content}\n`);
  for await (const { text } of model.generate([{ role: "user", content }], { temperature: 1, topP: 0.95, seed }))
    process.stdout.write(text);
  process.stdout.write("\n\n");
}
model.dispose();

// Asks the bundled model, or a model on a server if an address is given. The rest of the program is the same for both.
//
//   node examples/local-or-remote.mjs
//
//   npx lightning-m1 serve                                        (in another terminal)
//   node examples/local-or-remote.mjs http://127.0.0.1:8000/v1
//
// Both print the same text, because the server uses the same model and kernels, and the seed determines the sampling.

import { MiniMaxM1 } from "lightning-m1";
import { RemoteModel } from "lightning-m1/remote";

const address = process.argv[2];
const model = address ? await RemoteModel.connect(address) : await MiniMaxM1.load();

const question = "Make 24 from 2 3 4 6"; // a hard puzzle, so that the answers of the three seeds differ
for (const seed of [1, 2, 3]) {
  console.log(`${question}, seed ${seed}`);
  const answer = model.generate([{ role: "user", content: question }], { temperature: 1, topP: 0.95, seed });
  for await (const { text } of answer) process.stdout.write(text);
  console.log("\n");
}
model.dispose();

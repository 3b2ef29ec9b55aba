// bun ask.ts "Make 23 from 10 7 3"

import { createWorkerModel } from "lightning-m1/worker";

const question = process.argv[2] ?? "Compute 6 + 6 + 3 - 2 + 3";
const model = await createWorkerModel(); // computes in a thread of its own, so this one stays free
const answer = model.generate([{ role: "user", content: question }], { temperature: 1, topP: 0.95, seed: 2 });
for await (const { text } of answer) process.stdout.write(text);
console.log();
model.dispose();

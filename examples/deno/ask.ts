// deno run --allow-read ask.ts "Make 23 from 10 7 3"

import { createWorkerModel } from "lightning-m1/worker";

const question = Deno.args[0] ?? "Compute 6 + 6 + 3 - 2 + 3";
const model = await createWorkerModel(); // computes in a thread of its own, so this one stays free
const answer = model.generate([{ role: "user", content: question }], { temperature: 1, topP: 0.95, seed: 2 });
const encoder = new TextEncoder();
for await (const { text } of answer) await Deno.stdout.write(encoder.encode(text));
console.log();
model.dispose();

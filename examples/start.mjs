// Prints the parameter counts of the published 456B model. Then the bundled model solves three held-out puzzles.

import { formatBytes, graph, MiniMaxM1, minimaxM1 } from "lightning-m1";
import { heldOut, judge, tasks } from "lightning-m1/rl";

const count = (n) => n.toLocaleString("en-US");
const row = (label, text) => console.log(`  ${label.padEnd(12)}${text}`);
const rule = (title) => console.log(`\n── ${title} ${"─".repeat(74 - title.length)}\n`);
const indented = (text) => text.replaceAll("\n", "\n  ");
/** Breaks long lines between words. */
const wrapped = (text) => text.replaceAll(/(.{1,74})(?: |$)/gm, "$1\n").trimEnd();

rule("MiniMax-M1: the published model, computed from its configuration");
const { config, tensors, parameterCount, activatedParameterCount, checkpointBytes } = graph(minimaxM1);
const softmax = config.attnTypeList.filter((type) => type === 1).length;
row("layers", `${config.numHiddenLayers} = ${config.numHiddenLayers - softmax} lightning + ${softmax} softmax attention`);
row("experts", `${config.numLocalExperts} in every layer, ${config.numExpertsPerTok} of them per token`);
row("parameters", count(parameterCount));
row("activated", `${count(activatedParameterCount)} per token, without embedding and head`);
row("tensors", count(tensors.length));
row("checkpoint", `${count(checkpointBytes)} bytes (${formatBytes(checkpointBytes)})`);

rule("The bundled model");
const model = await MiniMaxM1.load();
row("model", `the same architecture at ${count(model.parameters)} parameters,`);
row("", "trained with this library; the last stage was CISPO");
row("kernels", `AssemblyScript on WebAssembly SIMD (build ${model.build})`);

let tokens = 0;
let seconds = 0;
let right = 0;
const puzzles = ["web-of-lies", "dyck-completion", "sudoku"].map((name) => {
  const task = tasks.find((one) => one.name === name);
  return { task, instance: heldOut(task, 1, 1, 7)[0].instance };
});
for (const { task, instance } of puzzles) {
  const question = task.question(instance);
  console.log(`\n  ${indented(wrapped(question))}\n`);
  process.stdout.write("  ");
  let response = "";
  const begin = performance.now();
  for await (const { text } of model.generate([{ role: "user", content: question }], { temperature: 0, maxTokens: 400 })) {
    process.stdout.write(indented(text));
    response += text;
    tokens++;
  }
  seconds += (performance.now() - begin) / 1000;
  const { correct } = judge(task, instance, response);
  right += Number(correct);
  console.log(`\n\n  ${correct ? "✓ right" : "✗ wrong"} (verifier of ${task.name})`);
}
model.dispose();

console.log();
row("speed", `${(tokens / seconds).toFixed(0)} tokens/s, prompts included`);
console.log("\n  Next: npx lightning-m1 chat, eval, train, or --help; README.md\n");
if (right === 0) process.exitCode = 1;

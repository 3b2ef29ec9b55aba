// The library at work in one go: the 456B model's graph, then a small checkpoint that generates.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { formatBytes, graph, MiniMaxM1, minimaxM1 } from "lightning-m1";

const count = (n) => n.toLocaleString("en-US");
const row = (label, text) => console.log(`  ${label.padEnd(12)}${text}`);
const rule = (title) => console.log(`\n── ${title} ${"─".repeat(74 - title.length)}\n`);

/** `greedy_ids` [2, 40] of a golden file: what the published PyTorch code generates. */
function readGreedyIds(path) {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const { shape, data_offsets: offsets } = JSON.parse(file.toString("utf8", 8, 8 + headerBytes)).greedy_ids;
  const ids = Array.from({ length: shape[0] * shape[1] }, (_, i) => file.readInt32LE(8 + headerBytes + offsets[0] + 4 * i));
  return ids.slice(0, shape[1]);
}

rule("MiniMax-M1: the published model, from its configuration alone");
const { config, tensors, parameterCount, activatedParameterCount, checkpointBytes } = graph(minimaxM1);
const softmax = config.attnTypeList.filter((type) => type === 1).length;
row("layers", `${config.numHiddenLayers} = ${config.numHiddenLayers - softmax} lightning + ${softmax} softmax attention`);
row("experts", `${config.numLocalExperts} in every layer, ${config.numExpertsPerTok} of them per token`);
row("parameters", count(parameterCount));
row("activated", `${count(activatedParameterCount)} per token, without embedding and head`);
row("tensors", count(tensors.length));
row("checkpoint", `${count(checkpointBytes)} bytes (${formatBytes(checkpointBytes)})`);

rule("A checkpoint of this repository, generating");
const PROMPT = 16;
const directory = fileURLToPath(new URL("../tests/golden/m1-tiny", import.meta.url));
const published = readGreedyIds(`${directory}/expected.safetensors`);
const model = await MiniMaxM1.load(directory);
row("model", `m1-tiny: the same architecture at ${count(model.parameters)} parameters`);
row("weights", "random, never trained: they show that the arithmetic is right and");
row("", "have nothing to say, so the tokens are shown as ids");
row("kernels", `AssemblyScript on WebAssembly SIMD (build ${model.build})`);
row("prompt", published.slice(0, PROMPT).join(" "));

const ids = [];
let first = 0;
process.stdout.write(`\n  ${"tokens".padEnd(11)}`);
for await (const { id } of model.generate(published.slice(0, PROMPT), { maxTokens: published.length - PROMPT, temperature: 0 })) {
  if (ids.length === 0) first = performance.now();
  else if (ids.length % 12 === 0) process.stdout.write(`\n${" ".repeat(13)}`);
  process.stdout.write(` ${String(id).padStart(3)}`);
  ids.push(id);
}
const seconds = (performance.now() - first) / 1000;
model.dispose();

const expected = published.slice(PROMPT);
const identical = expected.filter((id, i) => id === ids[i]).length;
console.log("\n");
row("speed", `${((ids.length - 1) / seconds).toFixed(0)} tokens/s`);
row("PyTorch", `identical ${identical}/${expected.length} to the greedy tokens of the published code`);
console.log("\n  Next: npx lightning-m1 --help, README.md\n");
if (identical !== expected.length || ids.length !== expected.length) process.exitCode = 1;

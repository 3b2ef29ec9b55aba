// A whole model in wllama, which is llama.cpp in wasm. Its default build needs memory64 and JSPI. Node 24 has memory64 but not JSPI, so
// files are mapped instead of read piece by piece. In Node 20, the compat build runs. wllama times its own work, without the time of a
// request to the worker and back. Options: file, threads.
import "./web-worker.mjs";
import { openAsBlob, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Wllama } from "@wllama/wllama/esm/index.js";

const require = createRequire(import.meta.url);
const packages = dirname(dirname(require.resolve("@wllama/wllama/package.json")));
const { version } = require("@wllama/wllama/package.json");
const memory64 = Number(process.versions.node.split(".")[0]) >= 24;
const wasm = (path) => `data:application/wasm;base64,${readFileSync(join(packages, path)).toString("base64")}`;

let wllama;

export async function setup({ file, threads, context }) {
  const log = () => {};
  wllama = new Wllama({ default: "unused" }, { logger: { debug: log, log, warn: log, error: log } });
  wllama.getWorkerResources = () =>
    memory64
      ? { wasmPath: wasm("wllama/esm/wasm/wllama.wasm"), compat: false }
      : {
          wasmPath: wasm("wllama-compat/wasm/wllama.wasm"),
          jsPath: { code: readFileSync(join(packages, "wllama-compat/wasm/wllama.js"), "utf8") },
          compat: true,
        };
  await wllama.loadModel([new File([await openAsBlob(file)], "model.gguf")], {
    n_ctx: context,
    n_threads: threads,
    n_gpu_layers: 0,
    n_parallel: 1,
    n_batch: 2048,
    n_ubatch: 512,
    flash_attn: false,
    cache_type_k: "f32",
    cache_type_v: "f32",
    cache_idle_slots: false,
  });
  const running = wllama.isMultithread() ? wllama.getNumThreads() : 1;
  if (running !== threads) throw new Error(`expected ${threads} threads, wllama runs ${running}`);
  return `wllama ${version} ${memory64 ? "default build" : "compat build"}, ${threads} thread${threads > 1 ? "s" : ""}, Node ${process.versions.node}`;
}

export function prepare({ ids, tokens }) {
  const prompt = ids.map((id) => `<|${id}|>`).join("");
  let generated;
  return {
    async run() {
      const { timings, choices } = await wllama.createCompletion({
        prompt,
        max_tokens: tokens + 1,
        n_predict: tokens + 1,
        temperature: 0,
        top_k: 1,
        samplers: ["top_k"],
        ignore_eos: true,
        cache_prompt: false,
      });
      if (timings.prompt_n !== ids.length) throw new Error(`expected a prompt of ${ids.length} tokens, wllama took ${timings.prompt_n}`);
      generated = Array.from(choices[0].text.matchAll(/<\|(\d+)\|>/g), ([, id]) => Number(id));
      return { prefill: timings.prompt_ms, decode: timings.predicted_ms };
    },
    result: () => generated,
  };
}

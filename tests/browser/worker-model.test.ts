import { expect, test } from "vitest";
import { LightningError, MiniMaxM1 } from "../../src/index.js";
import { createWorkerModel } from "../../src/worker/index.js";
import configUrl from "../golden/m1-tiny/config.json?url";
import modelUrl from "../golden/m1-tiny/model.safetensors?url";
import { answers, answersOf } from "../support/bundled-model.js";
import { drawSeeded, SEEDED_IDS } from "../support/seeded.js";

const file = async (url: string, name: string) => new File([await (await fetch(url)).blob()], name);
const picked = async () => [await file(configUrl, "config.json"), await file(modelUrl, "model.safetensors")];

test("a model in a worker answers as in Node, on two threads", async () => {
  using model = await createWorkerModel(undefined, { build: "simd", threads: 2 });
  expect(await answersOf(model)).toEqual(answers.map(({ text }) => text));
  expect(await model.statistics()).toMatchObject({ threads: 2 });
});

test("picked files are read in the worker, and sessions continue here and there to the bit", async () => {
  const files = await picked();
  using here = await MiniMaxM1.load(files, { build: "simd", threads: 1 });
  using there = await createWorkerModel(files, { build: "simd", threads: 1 });
  expect(await drawSeeded(there)).toEqual(SEEDED_IDS);
  const [own, other] = [here.session({ seed: 5 }), there.session({ seed: 5 })];
  for (const session of [own, other]) await session.generate([1, 2, 3], { maxTokens: 5, temperature: 1 }).text();
  const bytes = await other.save();
  expect(bytes).toEqual(own.save());
  expect(there.restore(bytes).ids).toEqual(own.ids);
  expect(here.restore(bytes).ids).toEqual(other.ids);
});

test("a worker that is ended rejects what waits", async () => {
  let worker!: Worker;
  const start = () => new Worker(new URL("../../src/worker/lightning-m1-worker.ts", import.meta.url), { type: "module" });
  using model = await createWorkerModel(await picked(), { worker: () => (worker = start()) });
  const waiting = model.generate([1, 2, 3], { maxTokens: Number.POSITIVE_INFINITY }).text();
  worker.terminate();
  await expect(waiting).rejects.toThrow(new LightningError("worker: the worker has ended (it was terminated). Load the model again."));
  await expect(model.statistics()).rejects.toThrow(LightningError);
});

test("a script that is missing", async () => {
  const worker = () => new Worker("/no-such-script.js", { type: "module" });
  await expect(createWorkerModel(await picked(), { worker })).rejects.toThrow(/^worker: .*could not be loaded.*lightning-m1-worker\.js/);
});

test("the body of a response streams from the worker", async () => {
  using model = await createWorkerModel(await picked());
  const body = JSON.stringify({
    prompt: [1, 2, 3],
    max_tokens: 24,
    temperature: 1,
    top_p: 0.95,
    seed: 7,
    stream: true,
    return_token_ids: true,
  });
  const headers = { "content-type": "application/json" };
  const response = await model.fetch("/v1/completions", { method: "POST", headers, body });
  const events = (await response.text()).match(/"token_ids":\[(\d+)\]/g)!.map((match) => Number(/\d+/.exec(match)));
  expect(events).toEqual(SEEDED_IDS);
});

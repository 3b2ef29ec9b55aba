import { expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import { createWorkerModel } from "../../src/worker/index.js";
import configUrl from "../golden/m1-tiny/config.json?url";
import modelUrl from "../golden/m1-tiny/model.safetensors?url";
import { drawSeeded, SEEDED_IDS } from "../support/seeded.js";

const file = async (url: string, name: string) => new File([await (await fetch(url)).blob()], name);
const picked = async () => [await file(configUrl, "config.json"), await file(modelUrl, "model.safetensors")];

const sources: [string, () => Promise<string | File[]>][] = [
  ["picked files", picked],
  ["a URL", async () => new URL(modelUrl, location.href).href.replace(/\?.*$/, "")],
];

test.each(sources)("a worker streams from %s, and draws the same tokens as in Node", async (_, source) => {
  using model = await createWorkerModel(await source(), { residency: "streamed", budgetBytes: 2 ** 20, threads: 1 });
  expect(await drawSeeded(model)).toEqual(SEEDED_IDS);
  expect((await model.statistics()).streaming).toMatchObject({ readBytes: expect.any(Number) });
});

test("a page's own thread may not wait, and says so", async () => {
  await expect(MiniMaxM1.load(await picked(), { residency: "streamed" })).rejects.toThrow(/thread.*page.*worker/);
});

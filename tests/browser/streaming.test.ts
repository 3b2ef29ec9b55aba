import { expect, test } from "vitest";
import { MiniMaxM1 } from "../../src/index.js";
import configUrl from "../golden/m1-tiny/config.json?url";
import modelUrl from "../golden/m1-tiny/model.safetensors?url";
import { SEEDED_IDS } from "../support/seeded.js";

const file = async (url: string, name: string) => new File([await (await fetch(url)).blob()], name);
const picked = async () => [await file(configUrl, "config.json"), await file(modelUrl, "model.safetensors")];

const sources: [string, () => Promise<string | File[]>][] = [
  ["picked files", picked],
  ["a URL", async () => new URL(modelUrl, location.href).href.replace(/\?.*$/, "")],
];

test.each(sources)("a worker streams from %s, and draws the same tokens as in Node", async (_, source) => {
  const worker = new Worker(new URL("./streaming-worker.ts", import.meta.url), { type: "module" });
  try {
    const answer = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    worker.postMessage(await source());
    expect(await answer).toMatchObject({ ids: SEEDED_IDS, streaming: { readBytes: expect.any(Number) } });
  } finally {
    worker.terminate();
  }
});

test("a page's own thread may not wait, and says so", async () => {
  await expect(MiniMaxM1.load(await picked(), { residency: "streamed" })).rejects.toThrow(/thread.*page.*worker/);
});

import { MiniMaxM1 } from "../../src/index.js";
import { drawSeeded } from "../support/seeded.js";

/** Streams the checkpoint that it is sent, and sends back what it draws and what that cost, or why it could not. */
self.onmessage = async ({ data }: MessageEvent<string | File[]>) => {
  try {
    using model = await MiniMaxM1.load(data, { residency: "streamed", budgetBytes: 2 ** 20, threads: 1 });
    self.postMessage({ ids: await drawSeeded(model), streaming: model.streaming });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};

import { MiniMaxM1 } from "../../src/index.js";
import { drawSeeded } from "../support/seeded.js";

/** Loads the files that it is sent, and sends back what it draws. */
self.onmessage = async ({ data }: MessageEvent<File[]>) => {
  const model = await MiniMaxM1.load(data);
  self.postMessage(await drawSeeded(model));
  model.dispose();
};

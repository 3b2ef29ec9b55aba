import { type LoadOptions, MiniMaxM1, type Progress } from "../../src/index.js";

/** A load, for the worker. */
export interface CacheRequest {
  readonly url: string;
  readonly options: LoadOptions;
}

/** Loads a checkpoint, and sends its progress and the logits of one token, or the error. */
self.onmessage = async ({ data: { url, options } }: MessageEvent<CacheRequest>) => {
  const phases = new Set<Progress["phase"]>();
  try {
    using model = await MiniMaxM1.load(url, {
      ...options,
      threads: 1,
      onProgress: (progress) => {
        if (progress.loadedBytes > 0) phases.add(progress.phase);
        self.postMessage({ progress });
      },
    });
    self.postMessage({ phases: [...phases], logits: model.forward([[1]]).logits.slice(0, 4) });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};

// The worker of the run: trains until it is done. The page stops it by terminating it.

import { type RunChoice, type Step, sortingRun } from "./sorting-run.ts";

export type Message = { readonly step: Step } | { readonly end: true } | { readonly error: string };

const send = (message: Message) => self.postMessage(message);

self.addEventListener("message", async ({ data }: MessageEvent<RunChoice>) => {
  try {
    for await (const step of sortingRun(data)) send({ step });
    send({ end: true });
  } catch (error) {
    send({ error: error instanceof Error ? error.message : String(error) });
  }
});

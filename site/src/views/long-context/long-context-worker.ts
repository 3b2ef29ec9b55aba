// The worker of the view: measures until it is done, pauses when it is told to. The page ends it by terminating it.

import { type Limits, measure, type Report } from "./measure.ts";
import type { ModelName } from "./models.ts";

export type Request =
  | { readonly kind: "start"; readonly models: readonly ModelName[]; readonly limits: Limits }
  | { readonly kind: "pause" }
  | { readonly kind: "continue" };

export type Message = Report | { readonly kind: "end" } | { readonly kind: "error"; readonly message: string };

/** Longest computing without a look at the messages that have arrived. */
const BUSY_MS = 50;

let isPaused = false;
let proceed = () => {};
let lastLook = 0;

/** Lets messages arrive. While the run is paused, waits until it goes on. */
async function pause(): Promise<void> {
  if (!isPaused && performance.now() - lastLook < BUSY_MS) return;
  await new Promise((resolve) => setTimeout(resolve));
  while (isPaused) {
    await new Promise<void>((resolve) => {
      proceed = resolve;
    });
  }
  lastLook = performance.now();
}

const send = (message: Message) => self.postMessage(message);

async function run(models: readonly ModelName[], limits: Limits): Promise<void> {
  try {
    for await (const report of measure(models, limits, pause)) send(report);
    send({ kind: "end" });
  } catch (error) {
    send({ kind: "error", message: error instanceof Error ? error.message : String(error) });
  }
}

self.addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if (data.kind === "start") void run(data.models, data.limits);
  else isPaused = data.kind === "pause";
  if (!isPaused) proceed();
});

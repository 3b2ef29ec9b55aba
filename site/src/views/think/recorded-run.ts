// Plays a recorded run, so that there is something to see while the model loads.

import recorded from "./recorded-run.json";
import type { RunOutput } from "./run-output.ts";

/** Slower than recorded, because the whole run took about half a second. */
const SLOWDOWN = 8;

export { recorded };

/** Plays the recording. With reduced motion, shows all of it at once. Throws the signal's reason if it is aborted. */
export function playRecording(output: RunOutput, signal: AbortSignal): Promise<void> {
  const tokens = recorded.tokens as [string, number][];
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  output.begin("A recorded run, made with this library in Node", recorded.question, false);
  // The time before the first token is not played.
  const first = tokens[0]![1];
  let next = 0;
  let start: number | undefined;
  return new Promise((resolve, reject) => {
    const frame = (now: number) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      start ??= now;
      for (; next < tokens.length && (isStill || (tokens[next]![1] - first) * SLOWDOWN <= now - start); next++)
        output.push(tokens[next]![0]);
      if (next < tokens.length) {
        requestAnimationFrame(frame);
        return;
      }
      output.end();
      output.note(`${tokens.length} tokens, recorded in ${Math.round(tokens.at(-1)![1])} ms and played ${SLOWDOWN} times slower`);
      resolve();
    };
    requestAnimationFrame(frame);
  });
}

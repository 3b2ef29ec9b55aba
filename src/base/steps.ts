import { yieldToEventLoop } from "./event-loop.js";

/** Runs a computation that is written as a generator to its end, without a pause, and returns its result. */
export function runSteps<Result>(steps: Generator<unknown, Result, undefined>): Result {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** Runs a computation that is written as a generator and lets other work of the event loop run after each step. */
export async function runStepsWithPauses<Result>(steps: Generator<unknown, Result, undefined>): Promise<Result> {
  let step = steps.next();
  while (!step.done) {
    await yieldToEventLoop();
    step = steps.next();
  }
  return step.value;
}

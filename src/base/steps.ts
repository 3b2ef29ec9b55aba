import { yieldToEventLoop } from "./event-loop.js";

/** Runs a generator to its end without pausing, and returns its result. */
export function runSteps<Result>(steps: Generator<unknown, Result, undefined>): Result {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** Runs a generator and yields to the event loop after each step. */
export async function runStepsWithPauses<Result>(steps: Generator<unknown, Result, undefined>): Promise<Result> {
  let step = steps.next();
  while (!step.done) {
    await yieldToEventLoop();
    step = steps.next();
  }
  return step.value;
}

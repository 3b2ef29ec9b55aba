/** Yields to the event loop, so that timers, input and other waiting work can run. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    }
  });
}

let turns: Promise<void> = Promise.resolve();

/** Yields to the event loop. If several callers wait, each turn of the event loop resumes one of them, in the order of their calls. */
export function yieldInTurn(): Promise<void> {
  turns = turns.then(yieldToEventLoop);
  return turns;
}

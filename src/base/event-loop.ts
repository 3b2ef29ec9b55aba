/** Lets everything else that waits run: timers, input, a click on "stop". */
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

/** The same for long computations: however many of them wait, one goes on in each turn of the event loop, in the order in which they came. */
export function yieldInTurn(): Promise<void> {
  turns = turns.then(yieldToEventLoop);
  return turns;
}

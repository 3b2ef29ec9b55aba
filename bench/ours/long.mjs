// Runs one long sequence through a model, and prints one line of JSON with the cost at each mark. The argument is `{ folder, marks, filled,
// abort, warmMs }` as JSON. `filled` are positions that are reached by declaring the cache full instead of computing it. `abort` cancels a
// prefill at the end. `warmMs` is the time of the warm-up in milliseconds. Environment: BUILD, THREADS.
import { randomIds } from "../random.mjs";
import { build, expectThreads, threads } from "./library.mjs";

const { MiniMaxM1 } = await import("../../dist/node/index.js");

const CHUNK = 512;
const DECODED = 32;
const ABORT_AFTER_MS = 300;

const { folder, marks, filled = [], abort = false, warmMs = 4000 } = JSON.parse(process.argv[2]);
const model = await MiniMaxM1.load(folder, { build, threads });
expectThreads(model.threads);
const emit = (line) => console.log(JSON.stringify(line));
const memory = () => ({ ...model.memory, rssBytes: process.memoryUsage.rss() });
let seed = 1;
const fresh = (length) => randomIds(length, model.config.vocabSize, seed++);

async function timed(body) {
  const begin = performance.now();
  await body();
  return (performance.now() - begin) / 1000;
}

// Kernels and JavaScript must be fully compiled before the measurement. After only a few passes, a model of this size decodes at a third of
// its final rate.
for (const end = performance.now() + warmMs; performance.now() < end; ) {
  const warm = model.session();
  for (let i = 0; i < 8; i++) await warm.append(fresh(CHUNK));
  for await (const _ of warm.generate([], { maxTokens: 8 * DECODED }));
  warm.dispose();
}

const session = model.session();
let prefillSeconds = 0;
let prefilled = 0;
async function append(length) {
  const seconds = await timed(() => session.append(fresh(length)));
  prefillSeconds += seconds;
  prefilled += length;
  return seconds;
}
for (const mark of marks) {
  // The rate at a mark is that of the last tokens before it.
  const window = Math.min(16 * CHUNK, Math.floor(mark / 2));
  await append(mark - window - session.length);
  const seconds = await append(window);
  let first = 0;
  let last = 0;
  for await (const _ of session.generate([], { maxTokens: DECODED + 1 })) {
    last = performance.now();
    first ||= last;
  }
  emit({
    position: mark,
    prefillSeconds,
    prefill: prefilled / prefillSeconds,
    prefillHere: window / seconds,
    decodeHere: (1000 * DECODED) / (last - first),
    ...memory(),
  });
}

if (abort) {
  const position = session.length;
  const chunkSeconds = await timed(() => session.append(fresh(CHUNK)));
  const controller = new AbortController();
  let aborted = 0;
  setTimeout(() => {
    aborted = performance.now();
    controller.abort();
  }, ABORT_AFTER_MS);
  const error = await session.append(fresh(1000 * CHUNK), { signal: controller.signal }).then(
    () => undefined,
    (error) => error,
  );
  if (error?.name !== "AbortError") throw new Error(`expected the prefill to end with an AbortError, got ${error?.message ?? "its end"}`);
  emit({ position, abort: { endedAfterMs: performance.now() - aborted, chunkMs: chunkSeconds * 1000 } });
}
session.dispose();

for (const mark of filled) {
  const cache = model.newCache();
  cache.resize(mark - CHUNK);
  const forward = (ids) => model.forward([ids], { cache: [cache], logits: "last" });
  const seconds = await timed(() => forward(fresh(CHUNK)));
  const decode = await timed(() => {
    for (let i = 0; i < DECODED; i++) forward([i]);
  });
  emit({ position: mark, filled: true, prefillHere: CHUNK / seconds, decodeHere: DECODED / decode, ...memory() });
  cache.dispose();
}
model.dispose();

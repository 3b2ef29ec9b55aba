// Loads a checkpoint, reads a prompt and generates greedy tokens. The same code runs in Node and in a page.

/** @returns seconds of the load, the size of the memory after it and at the end, whether its progress only grew from 0 to 1, and the rates of each round */
export async function measurePretrained(MiniMaxM1, source, { options, ids, tokens, rounds }) {
  const fractions = [];
  const began = performance.now();
  const model = await MiniMaxM1.load(source, { ...options, onProgress: ({ fraction }) => fractions.push(fraction) });
  const loadSeconds = (performance.now() - began) / 1000;
  const loadedBytes = model.memory.reservedBytes;
  const steady = fractions[0] === 0 && fractions.at(-1) === 1 && fractions.every((fraction, i) => fraction >= (fractions[i - 1] ?? 0));
  const generated = [];
  const points = [];
  for (let round = 0; round < rounds; round++) {
    generated.length = 0;
    const begin = performance.now();
    let first = begin;
    for await (const { id } of model.generate(ids, { maxTokens: tokens + 1 })) if (generated.push(id) === 1) first = performance.now();
    points.push({ prefill: ids.length / ((first - begin) / 1000), decode: tokens / ((performance.now() - first) / 1000) });
  }
  const { build, threads } = model;
  const { reservedBytes } = model.memory;
  model.dispose();
  return { build, threads, loadSeconds, loadedBytes, reservedBytes, steady, generated, points };
}

import { expect, test } from "vitest";
import { random } from "../support/random.js";
import { alone, model, start, until } from "./harness.js";

const QUESTIONS = ["Compute 6 + 6 + 3 - 2 + 3", "Sort BHG EHC ABC AEC GEG by the alphabet F H A B C D E G", "Make 23 from 10 7 3"];
const CLIENTS = 32;
const REQUESTS = 3;

test("many clients, a third of which disconnect: no failures, every text as if alone, no request left active", async () => {
  const { client, server, url } = await start({ maxBatch: 16 });
  await alone([1], { maxTokens: 2 });
  const used = model.memory.usedBytes;
  const expected = new Map<string, Promise<string>>();
  const solo = (question: string, seed: number) => {
    const key = `${seed} ${question}`;
    const text =
      expected.get(key) ?? alone([{ role: "user", content: question }], { temperature: 1, seed, maxTokens: 60 }).then(({ text }) => text);
    expected.set(key, text);
    return text;
  };
  let [whole, cancelled] = [0, 0];
  const run = async (one: number) => {
    const stream = random(one);
    for (let i = 0; i < REQUESTS; i++) {
      const question = QUESTIONS[Math.floor(stream.uniform() * QUESTIONS.length)]!;
      const seed = Math.floor(stream.uniform() * 5);
      const goes = stream.uniform() < 1 / 3 ? Math.floor(stream.uniform() * 20) : Number.POSITIVE_INFINITY;
      const content = (await model.formatChat([{ role: "user", content: question }])) as string;
      const events = await client.completions.create({ model: "lightning-m1", prompt: content, seed, max_tokens: 60, stream: true });
      let text = "";
      let seen = 0;
      for await (const { choices } of events) {
        text += choices[0]!.text;
        if (seen++ === goes) break;
      }
      if (seen > goes) {
        cancelled++;
        expect((await solo(question, seed)).startsWith(text)).toBe(true);
      } else {
        whole++;
        expect(text).toBe(await solo(question, seed));
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, i) => run(i)));
  expect(whole + cancelled).toBe(CLIENTS * REQUESTS);
  expect(Math.min(whole, cancelled)).toBeGreaterThan(10);
  await until(() => server.active === 0);
  await until(() => model.memory.usedBytes === used);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  for (const gauge of ["running_sequences", "waiting_requests", "cache_bytes"]) expect(metrics).toContain(`\nlightning_m1_${gauge} 0\n`);
});

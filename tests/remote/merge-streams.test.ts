import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergeStreams } from "../../src/remote/merge-streams.js";
import { collect } from "../generate/model.js";

describe("mergeStreams", () => {
  test("yields every item once, each stream's in order, with at most `width` streams at a time", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 5 }), { maxLength: 6 }),
        fc.integer({ min: 1, max: 4 }),
        async (streams, width) => {
          let [running, most] = [0, 0];
          const open = async function* (i: number) {
            most = Math.max(most, ++running);
            for (const [at, turns] of streams[i]!.entries()) {
              for (let turn = 0; turn < turns; turn++) await Promise.resolve();
              yield { i, at };
            }
            running--;
          };
          const items = await collect(mergeStreams(streams.length, width, open));
          for (const [i, stream] of streams.entries())
            expect(items.filter((item) => item.i === i).map(({ at }) => at)).toEqual([...stream.keys()]);
          expect(most).toBeLessThanOrEqual(width);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("no stream gets more than one item ahead of the consumer", async () => {
    let given = 0;
    const open = async function* () {
      for (;;) yield ++given;
    };
    const merged = mergeStreams(2, 2, open);
    for (let i = 0; i < 3; i++) {
      await merged.next();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(given).toBeLessThanOrEqual(3 + 2);
    await merged.return();
  });
});

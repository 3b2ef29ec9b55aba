import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FinalText, StopFilter } from "../../src/generate/stop-filter.js";
import type { TextCodec } from "../../src/text/text-codec.js";
import { bytesCodec } from "./model.js";

/** A codec whose id i is the i-th piece. */
function pieces(texts: readonly string[]): TextCodec {
  return { encode: () => [], stream: () => ({ push: (id) => texts[id]!, end: () => "" }) };
}

function run(texts: readonly string[], stops: readonly string[]): FinalText & { outputs: string[] } {
  const filter = new StopFilter(pieces(texts), stops);
  const outputs: string[] = [];
  for (const id of texts.keys()) {
    const { text, stop } = filter.push(id);
    outputs.push(text);
    if (stop) return { text: outputs.join(""), stop, outputs };
  }
  const { text, stop } = filter.end();
  outputs.push(text);
  return { text: outputs.join(""), stop, outputs };
}

/** The specification: character by character, ended where a stop string is first complete. */
function specification(text: string, stops: readonly string[]): FinalText {
  for (let end = 1; end <= text.length; end++) {
    const [stop] = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length);
    if (stop) return { text: text.slice(0, end - stop.length), stop };
  }
  return { text, stop: undefined };
}

describe("stop strings", () => {
  test("end the text where the first is complete, however it is cut into tokens", () => {
    const word = (maxLength: number) => fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength });
    fc.assert(
      fc.property(word(30), fc.array(word(4), { maxLength: 3 }), fc.array(fc.nat(30), { maxLength: 12 }), (text, stops, cuts) => {
        const at = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
        const texts = at.slice(1).map((end, i) => text.slice(at[i], end));
        const { outputs: _, ...result } = run(texts, stops);
        expect(result).toEqual(specification(text, stops));
      }),
      { numRuns: 2000, seed: 5 },
    );
  });

  test("hold back only what may begin one", () => {
    expect(run(["ab", "c<", "/", "x>d", "</", "end>", "never"], ["</end>"])).toEqual({
      text: "abc</x>d",
      stop: "</end>",
      outputs: ["ab", "c", "", "</x>d", "", ""],
    });
    expect(run(["ab</", "e"], ["</end>"])).toEqual({ text: "ab</e", stop: undefined, outputs: ["ab", "", "</e"] });
  });
});

test("no character is split, none is lost", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 20 }),
      fc.constantFrom([], ["é"], ["👍🏽"], ["\u{1f468}\u200d"]),
      (text, stops) => {
        const filter = new StopFilter(bytesCodec, stops);
        const outputs: string[] = [];
        let stop: string | undefined;
        for (const byte of new TextEncoder().encode(text)) {
          const piece = filter.push(byte);
          outputs.push(piece.text);
          stop = piece.stop;
          if (stop) break;
        }
        if (!stop) {
          const rest = filter.end();
          outputs.push(rest.text);
          stop = rest.stop;
        }
        for (const output of outputs) expect(/\p{Cs}|\u{fffd}/u.test(output)).toBe(false);
        expect({ text: outputs.join(""), stop }).toEqual(specification(text, stops));
      },
    ),
    { numRuns: 500, seed: 9 },
  );
});

test("an unfinished character at the end becomes U+FFFD", () => {
  const filter = new StopFilter(bytesCodec, []);
  expect(filter.push(0x61).text).toBe("a");
  expect(filter.push(0xf0).text).toBe("");
  expect(filter.end()).toEqual({ text: "\u{fffd}", stop: undefined });
});

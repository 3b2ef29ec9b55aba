import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Dialect, parseConfig } from "../../src/model/config.js";
import { decaySlopes } from "../../src/model/decay-slopes.js";
import { minimaxM1, tinyM1 } from "../../src/model/presets.js";
import { slopes } from "../reference/slopes.js";
import { goldenCases, readGolden } from "../support/golden.js";
import { rounding } from "../support/tolerance.js";

describe("decay slopes", () => {
  /** Slope, factor and product are rounded to float32 once each. */
  function expectSlopes(dialect: Dialect, heads: number, layer: number, layers: number): void {
    const lightning = { ...tinyM1.lightning, heads, layerDecay: dialect !== "hypenet" };
    const config = { ...tinyM1, dialect, lightning, numHiddenLayers: layers };
    const actual = decaySlopes(config, layer);
    const expected = slopes(dialect, heads, layer, layers);
    expect(actual).toHaveLength(heads);
    for (const [h, slope] of expected.entries()) {
      expect(Math.abs(actual[h]! - slope), `head ${h} of ${heads}, layer ${layer} of ${layers}`).toBeLessThanOrEqual(rounding(3, slope));
    }
  }

  test.each<Dialect>(["minimax_m1", "minimax", "hypenet"])("%s: 1 to 64 heads, any layer", (dialect) => {
    for (let heads = 1; heads <= 64; heads++) {
      for (const layers of [1, 2, 3, 80]) {
        for (const layer of new Set([0, layers >> 1, layers - 1])) expectSlopes(dialect, heads, layer, layers);
      }
    }
  });

  test("MiniMax-M1: 64 heads from 2^(−1/8) to 2^−8, layers from local to far", () => {
    const first = decaySlopes(minimaxM1, 0);
    expect(Math.abs(first[0]! - 2 ** -0.125 * 1.00001)).toBeLessThanOrEqual(rounding(3, 1));
    expect(Math.abs(first[63]! - 2 ** -8 * 1.00001)).toBeLessThanOrEqual(rounding(3, 2 ** -8));
    for (let layer = 1; layer < 80; layer++) expect(decaySlopes(minimaxM1, layer)[0]).toBeLessThan(decaySlopes(minimaxM1, layer - 1)[0]!);
    expect(decaySlopes(minimaxM1, 79)[63]).toBeGreaterThan(0);
  });

  test("the guide's table: how soon the first and the last lightning layer of MiniMax-M1 forget", () => {
    const guide = readFileSync(new URL("../../docs/lightning-attention.md", import.meta.url), "utf8");
    const lines = [...guide.matchAll(/^\| (\d+) \| ([\d.]+) \| ([\d.,]+) tokens \| ([\d.]+) \| ([\d.,]+) tokens \|$/gm)];
    const last = minimaxM1.attnTypeList.lastIndexOf(0);
    expect(lines.map(([, layer]) => Number(layer))).toEqual([0, last]);
    for (const [, layer, ...printed] of lines) {
      const slopes = decaySlopes(minimaxM1, Number(layer));
      const figures = [slopes[0]!, slopes.at(-1)!].flatMap((slope) => [slope, Math.LN2 / slope]);
      expect(printed.map((text) => Number(text.replace(",", "")))).toEqual(figures.map((x) => Number(x.toPrecision(3))));
    }
  });

  test("transformers': bit for bit the buffers that it saves", () => {
    const { config: json, weights } = readGolden(goldenCases().find(({ name }) => name === "hf-minimax")!);
    const config = parseConfig(json);
    for (const layer of [0, 1, 2, 3, 4, 5, 6]) {
      expect([...decaySlopes(config, layer)]).toEqual([...weights.get(`model.layers.${layer}.self_attn.slope_rate`)!.data]);
    }
  });
});

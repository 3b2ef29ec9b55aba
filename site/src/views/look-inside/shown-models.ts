// The models whose memory and decay the view shows: the bundled one, which runs, and the published one.

import { type Config, type KVType, minimaxM1, parseConfig } from "lightning-m1";
import bundledJson from "../../../../models/m1-puzzles/config.json";

export interface ShownModel {
  /** The name in titles. */
  readonly name: string;
  readonly config: Config;
  /** Format of keys and values. */
  readonly kv: KVType;
  /** The largest number of tokens in the charts of memory and of decay. */
  readonly memoryTokens: number;
  readonly decayTokens: number;
}

export const shownModels = {
  bundled: { name: "the bundled model", config: parseConfig(bundledJson), kv: "f32", memoryTokens: 512, decayTokens: 10_000 },
  real: { name: "MiniMax-M1", config: minimaxM1, kv: "bf16", memoryTokens: 2 ** 20, decayTokens: 100_000 },
} as const satisfies Record<string, ShownModel>;

export type ShownModelName = keyof typeof shownModels;

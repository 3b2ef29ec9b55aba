// The memory of lightning states and of keys and values, as the library allocates it.

import { type Config, cacheBytes, type KVType } from "lightning-m1";

/** Memory after a number of tokens, in bytes. */
export interface MemoryPoint {
  readonly tokens: number;
  /** The states of the lightning layers. */
  readonly states: number;
  /** Keys and values of the softmax layers. */
  readonly cache: number;
  /** Keys and values, if all layers had softmax attention. */
  readonly cacheOnly: number;
}

export function memoryAt(config: Config, tokens: number, kv: KVType): MemoryPoint {
  const states = cacheBytes(config, 0, kv);
  const allSoftmax: Config = { ...config, attnTypeList: config.attnTypeList.map(() => 1) };
  return { tokens, states, cache: cacheBytes(config, tokens, kv) - states, cacheOnly: cacheBytes(allSoftmax, tokens, kv) };
}

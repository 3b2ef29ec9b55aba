// Estimates how fast a server decodes from the bytes that a step reads. Devices work one after the other on a token, so their times add up:
//
//     seconds of a step for B sequences = Σ devices (weights + experts · (1 − (1 − k/E)^B) + B · (cache + 2 · state)) / bandwidth
//
// (1 − k/E)^B is the share of experts that none of B tokens is routed to, if every choice of k of E experts is equally likely.

import type { Config } from "../model/config.js";

/** Bytes on one device that a decoding step reads. */
export interface ReadBytes {
  /** Weights that every token needs. */
  readonly weights: number;
  /** Weights of all experts. */
  readonly experts: number;
  /** Caches and states of all sequences, at the end of their contexts. */
  readonly sequences: number;
}

/**
 * Tokens per second that memory bandwidth permits, at the end of the context. An estimate and an upper bound: computing, communication and
 * the overhead of kernels take time in addition, and no memory reaches its nominal bandwidth.
 */
export interface DecodeRate {
  /** Tokens per second of a sequence that is alone on the server. */
  readonly alone: number;
  /** Tokens per second of all sequences together. */
  readonly together: number;
}

/** Estimates the speed of decoding. Returns undefined if the bandwidth of a device (bytes per second) is not known. */
export function decodeRate(
  devices: readonly (ReadBytes & { readonly bandwidth?: number | undefined })[],
  { config, sequences }: { readonly config: Config; readonly sequences: number },
): DecodeRate | undefined {
  if (devices.some(({ bandwidth }) => bandwidth === undefined)) return undefined;
  const { numExpertsPerTok, numLocalExperts } = config;
  const seconds = (running: number) => {
    const used = numLocalExperts > 0 ? 1 - (1 - numExpertsPerTok / numLocalExperts) ** running : 0;
    return devices.reduce(
      (sum, { bandwidth, weights, experts, sequences: all }) => sum + (weights + experts * used + (all / sequences) * running) / bandwidth!,
      0,
    );
  };
  return { alone: 1 / seconds(1), together: sequences / seconds(sequences) };
}

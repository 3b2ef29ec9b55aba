// What is expected of a model before it is measured.

import type { Point } from "./measure.ts";
import { type ModelName, predictedBytes, type TokenKind, tokenFlops } from "./models.ts";

export type Quantity = "bytes" | TokenKind;
export const quantities: readonly Quantity[] = ["bytes", "generated", "prompt"];

/** Operations per second that are assumed before the first measurement. */
export const ASSUMED_SPEED: Readonly<Record<TokenKind, number>> = { prompt: 8e9, generated: 1e9 };

/** Measurements whose median speed counts. A single one may be slow because of other work on the machine. */
const RECENT = 3;

/**
 * What is expected of a model at a length. Memory is exact. A time is the number of operations at the median speed of the model's last three
 * measurements, or at an assumed speed if there is none.
 *
 * @param measured the measurements of the model, the shortest context first
 * @returns bytes, or milliseconds per token
 */
export function predict(quantity: Quantity, model: ModelName, length: number, measured: readonly Point[]): number {
  if (quantity === "bytes") return predictedBytes(model, length);
  const flops = tokenFlops(model, quantity, length);
  if (measured.length === 0) return (1000 * flops) / ASSUMED_SPEED[quantity];
  return flops * median(measured.slice(-RECENT).map((point) => point[quantity] / tokenFlops(model, quantity, point.length)));
}

/** The middle value. Of an even number of values, the smaller one of the two. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;
}

/** A length as it is usually written: 1k, 512k, 1M. */
export function lengthLabel(length: number): string {
  return length >= 2 ** 20 ? `${length / 2 ** 20}M` : `${length / 1024}k`;
}

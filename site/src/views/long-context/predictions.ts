// What is expected of a model before it is measured.

import type { Point } from "./measure.ts";
import { type ModelName, predictedBytes, type TokenKind, tokenFlops } from "./models.ts";

export type Quantity = "bytes" | TokenKind;
export const quantities: readonly Quantity[] = ["bytes", "generated", "prompt"];

/** Operations per millisecond that are assumed before the first measurement. */
const ASSUMED_SPEED: Readonly<Record<TokenKind, number>> = { prompt: 8e6, generated: 1e6 };

/**
 * What is expected of a model at a length. Memory is exact. A time is the number of operations at the speed of the model's last measurement,
 * or at an assumed speed if there is none.
 */
export function predict(quantity: Quantity, model: ModelName, length: number, last: Point | undefined): number {
  if (quantity === "bytes") return predictedBytes(model, length);
  const flops = tokenFlops(model, quantity, length);
  if (!last) return flops / ASSUMED_SPEED[quantity];
  return (flops / tokenFlops(model, quantity, last.length)) * last[quantity];
}

/** A length as it is usually written: 1k, 512k, 1M. */
export function lengthLabel(length: number): string {
  return length >= 2 ** 20 ? `${length / 2 ** 20}M` : `${length / 1024}k`;
}

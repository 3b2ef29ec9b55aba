import { ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";

/** Consecutive tokens `begin` to `end` (exclusive) of one sequence within a batch. */
export interface Segment {
  readonly begin: number;
  readonly end: number;
}

/**
 * Checks that non-empty segments cover the tokens of a batch in order, and that there is one state per segment.
 *
 * @throws {ShapeError} they do not
 */
export function expectSegments(where: string, segments: readonly Segment[], tokens: number, states: number): void {
  let at = 0;
  for (const { begin, end } of segments) {
    if (begin !== at || !(end > begin))
      throw new ShapeError(`${where}: segments: expected a segment that begins at ${at}, got ${printed(begin)} to ${end}`);
    at = end;
  }
  if (at !== tokens) throw new ShapeError(`${where}: segments: expected ${tokens} tokens in total, got ${printed(at)}`);
  if (states !== segments.length)
    throw new ShapeError(`${where}: states: expected one per segment (${segments.length}), got ${printed(states)}`);
}

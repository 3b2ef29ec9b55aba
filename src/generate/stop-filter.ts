import type { IdDecoder, TextCodec } from "../text/text-codec.js";

/** Text that later tokens cannot change, and the stop string that ended the generation, if any. */
export interface FinalText {
  readonly text: string;
  readonly stop: string | undefined;
}

/**
 * Decodes the text of one generation up to its first stop string. It holds back characters that may begin a stop string. Returned text is
 * therefore final and does not depend on the boundaries of tokens. If several stop strings occur, the first complete one ends the text.
 */
export class StopFilter {
  private readonly decoder: IdDecoder;
  private held = "";

  constructor(
    codec: TextCodec,
    private readonly stops: readonly string[],
  ) {
    this.decoder = codec.stream();
  }

  /** Adds a token. Returns the text that became final and, if the text ended, the stop string that ended it. */
  push(id: number): FinalText {
    return this.take(this.decoder.push(id));
  }

  /** Returns the rest of the text at the end of the generation. */
  end(): FinalText {
    const { text, stop } = this.take(this.decoder.end());
    return { text: stop ? text : text + this.release(this.held.length), stop };
  }

  private take(piece: string): FinalText {
    this.held += piece;
    const found = firstComplete(this.held, this.stops);
    if (found) return { text: this.release(found.begin), stop: found.stop };
    return { text: this.release(this.held.length - openEnding(this.held, this.stops)), stop: undefined };
  }

  private release(length: number): string {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return text;
  }
}

/** Finds the stop string that ends first, and its position. If several end at the same place, the longest one counts. */
function firstComplete(text: string, stops: readonly string[]): { stop: string; begin: number } | undefined {
  let first: { stop: string; begin: number } | undefined;
  for (const stop of stops) {
    const begin = text.indexOf(stop);
    if (begin < 0) continue;
    const order = first ? begin + stop.length - (first.begin + first.stop.length) : -1;
    if (order < 0 || (order === 0 && begin < first!.begin)) first = { stop, begin };
  }
  return first;
}

/** Returns the length of the longest suffix of `text` that is a prefix of a stop string. */
function openEnding(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const ending = text.slice(text.length - length);
    if (stops.some((stop) => stop.startsWith(ending))) return length;
  }
  return 0;
}

import type { IdDecoder, TextCodec } from "../text/text-codec.js";

/** Text that nothing can change any more; with a stop string if that ended the generation. */
export interface FinalText {
  readonly text: string;
  readonly stop: string | undefined;
}

/**
 * The text of one generation, up to its first stop string.
 * Characters that may yet turn out to begin a stop string are held back, so what has been given out is final,
 * and where tokens begin and end makes no difference to the text: of several stop strings the one that is complete first counts.
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

  /** The text that the token makes final, and the stop string that ended it. */
  push(id: number): FinalText {
    return this.take(this.decoder.push(id));
  }

  /** The rest: nothing follows any more. */
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

/** The stop string that ends first (of those that end together, the longest), and where it begins. */
function firstComplete(text: string, stops: readonly string[]): { stop: string; begin: number } | undefined {
  let first: { stop: string; begin: number } | undefined;
  for (const stop of stops) {
    const begin = text.indexOf(stop);
    if (begin < 0) continue;
    const later = first ? begin + stop.length - (first.begin + first.stop.length) : -1;
    if (later < 0 || (later === 0 && begin < first!.begin)) first = { stop, begin };
  }
  return first;
}

/** Length of the longest ending of `text` with which a stop string begins. */
function openEnding(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const ending = text.slice(text.length - length);
    if (stops.some((stop) => stop.startsWith(ending))) return length;
  }
  return 0;
}

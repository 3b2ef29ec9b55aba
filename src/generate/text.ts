/** What generation needs of a tokenizer. */
export interface TextCodec {
  encode(text: string): readonly number[];
  /** An incremental decoder: `push` gives the characters that the id completes, `end` what is left of an incomplete one. */
  stream(): { push(id: number): string; end(): string };
  /** The tokenizer's own end of sequence, besides the config's. */
  readonly eosId?: number | undefined;
}

/**
 * The text of one generation, up to its first stop string.
 * Characters that may yet turn out to begin a stop string are held back, so what has been given out is final,
 * and where tokens begin and end makes no difference to the text: of several stop strings the one that is complete first counts.
 */
export class StopFilter {
  private readonly decoder: { push(id: number): string; end(): string };
  private held = "";

  constructor(
    codec: TextCodec,
    private readonly stops: readonly string[],
  ) {
    this.decoder = codec.stream();
  }

  /** The text that the token makes final, and whether a stop string ended it. */
  push(id: number): { text: string; stopped: boolean } {
    return this.take(this.decoder.push(id));
  }

  /** The rest: nothing follows any more. */
  end(): { text: string; stopped: boolean } {
    const { text, stopped } = this.take(this.decoder.end());
    return { text: stopped ? text : text + this.release(this.held.length), stopped };
  }

  private take(piece: string): { text: string; stopped: boolean } {
    this.held += piece;
    const stop = firstComplete(this.held, this.stops);
    if (stop >= 0) return { text: this.release(stop), stopped: true };
    return { text: this.release(this.held.length - openEnding(this.held, this.stops)), stopped: false };
  }

  private release(length: number): string {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return text;
  }
}

/** Where the stop string begins that ends first (of those that end together, the longest); −1 for none. */
function firstComplete(text: string, stops: readonly string[]): number {
  let [begin, end] = [-1, Number.POSITIVE_INFINITY];
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at < 0 || at + stop.length > end || (at + stop.length === end && at > begin)) continue;
    [begin, end] = [at, at + stop.length];
  }
  return begin;
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

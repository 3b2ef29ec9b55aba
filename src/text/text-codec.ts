import type { Tokenizer } from "./tokenizer.js";

/** Decodes token ids one at a time. */
export interface IdDecoder {
  /** Adds an id and returns the characters that it completes. */
  push(id: number): string;
  /** Returns the remaining text of an incomplete character. */
  end(): string;
}

/** The functions of a tokenizer that generation needs. */
export interface TextCodec {
  encode(text: string): readonly number[];
  stream(): IdDecoder;
  /** Id of the tokenizer's end-of-sequence token, in addition to the tokens of the configuration. */
  readonly eosId?: number | undefined;
}

/** Creates the codec of a tokenizer. Ids beyond its vocabulary, which a padded embedding has, decode to an empty text. */
export function codecOf(tokenizer: Tokenizer): TextCodec {
  const stream = () => {
    const text = tokenizer.stream();
    return { push: (id: number) => (id < tokenizer.vocabSize ? text.push(id) : ""), end: () => text.end() };
  };
  return { encode: (text) => tokenizer.encode(text), stream, eosId: tokenizer.eosId };
}

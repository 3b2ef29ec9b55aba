// Where a text names added tokens. The rules are those of the reference implementation (tokenizers' AddedVocabulary).

import type { AddedToken } from "./tokenizer-files.js";

/** A stretch of text, or the added token that stands there. */
export type TextOrToken = string | AddedToken;

/** A tree of the tokens' characters. */
interface TrieNode {
  readonly next: Map<string, TrieNode>;
  token?: AddedToken;
}

const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_AFTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/** Divides texts at added tokens: the leftmost first, of those that begin at one place the longest. */
export class AddedTokenMatcher {
  private readonly root: TrieNode = { next: new Map() };

  /** @param tokens with the text under which each is found */
  constructor(tokens: Iterable<readonly [text: string, token: AddedToken]>) {
    for (const [text, token] of tokens) {
      let node = this.root;
      for (const char of text.split("")) {
        const next = node.next.get(char) ?? { next: new Map() };
        node.next.set(char, next);
        node = next;
      }
      if (node !== this.root) node.token ??= token;
    }
  }

  /** Tokens and the stretches of text between them; no stretch is empty. */
  split(text: string): TextOrToken[] {
    if (this.root.next.size === 0) return text === "" ? [] : [text];
    const sections: TextOrToken[] = [];
    let begin = 0;
    let strip = false;
    const take = (end: number, stripEnd: boolean): void => {
      let between = text.slice(begin, end);
      if (strip) between = between.trimStart();
      if (stripEnd) between = between.trimEnd();
      if (between !== "") sections.push(between);
    };
    for (let at = 0; at < text.length; ) {
      const found = this.longestMatch(text, at);
      if (!found) {
        at++;
        continue;
      }
      const { token, end } = found;
      // A token that has to be a word of its own, inside another: text, and so is its own inside.
      if (!token.singleWord || isSingleWord(text, at, end)) {
        take(at, token.lstrip);
        sections.push(token);
        begin = end;
        strip = token.rstrip;
      }
      at = end;
    }
    take(text.length, false);
    return sections;
  }

  private longestMatch(text: string, at: number): { token: AddedToken; end: number } | undefined {
    let found: { token: AddedToken; end: number } | undefined;
    let node = this.root.next.get(text[at]!);
    for (let end = at + 1; node; node = end < text.length ? node.next.get(text[end++]!) : undefined) {
      if (node.token) found = { token: node.token, end };
    }
    return found;
  }
}

/** Whether no character of a word stands directly before or after. */
function isSingleWord(text: string, begin: number, end: number): boolean {
  // Two code units hold any one character.
  return !WORD_BEFORE.test(text.slice(Math.max(0, begin - 2), begin)) && !WORD_AFTER.test(text.slice(end, end + 2));
}

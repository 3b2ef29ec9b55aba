// Finds added tokens in a text, by the rules of the reference implementation (AddedVocabulary of the Python package tokenizers).

import type { AddedToken } from "./tokenizer-files.js";

/** A part of a text, or an added token in it. */
export type TextOrToken = string | AddedToken;

/** A node of a trie over the characters of the tokens. */
interface TrieNode {
  readonly next: Map<string, TrieNode>;
  token?: AddedToken;
}

const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_AFTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/** Splits texts at added tokens. It takes the leftmost match. If several matches begin at the same position, it takes the longest. */
export class AddedTokenMatcher {
  private readonly root: TrieNode = { next: new Map() };

  /** @param tokens the tokens, and the text that each of them matches */
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

  /** Returns the tokens in a text and the text between them, in order. No part is empty. */
  split(text: string): TextOrToken[] {
    if (this.root.next.size === 0) return text === "" ? [] : [text];
    const sections: TextOrToken[] = [];
    let begin = 0;
    let strip = false;
    const addText = (end: number, stripEnd: boolean): void => {
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
      // A `singleWord` token inside another word is plain text, and so are all tokens inside that match.
      if (!token.singleWord || isSingleWord(text, at, end)) {
        addText(at, token.lstrip);
        sections.push(token);
        begin = end;
        strip = token.rstrip;
      }
      at = end;
    }
    addText(text.length, false);
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

/** Returns whether no word character is directly before or after a match. */
function isSingleWord(text: string, begin: number, end: number): boolean {
  // A character has at most two code units.
  return !WORD_BEFORE.test(text.slice(Math.max(0, begin - 2), begin)) && !WORD_AFTER.test(text.slice(end, end + 2));
}

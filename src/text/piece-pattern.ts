/**
 * Matches one piece of text in a tokenizer that this library trains. Tokens never span two pieces. A piece is a word whose only capital is
 * its first letter, any other capital, a digit, or any other character. Each of these includes the space before it. Line breaks and the
 * remaining spaces are pieces too. Consecutive capitals, digits and brackets are therefore separate pieces.
 *
 * The pattern avoids `\s`, whose meaning differs between regex engines.
 */
export const piecePattern = [
  String.raw` ?\p{Lu}?[\p{Ll}\p{Lt}\p{Lm}\p{Lo}\p{M}]+`,
  String.raw` ?\p{Lu}`,
  String.raw` ?\p{N}`,
  String.raw` ?[^ \t\r\n\p{L}\p{M}\p{N}]`,
  String.raw`[\r\n]+`,
  String.raw`[ \t]+(?![^ \t\r\n])`,
  String.raw`[ \t]`,
].join("|");

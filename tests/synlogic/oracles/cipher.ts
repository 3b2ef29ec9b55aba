import type { Oracle } from "../oracle.js";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

interface Puzzle {
  readonly cipher: string;
  readonly direction: string;
  readonly shift?: number;
  readonly key?: string;
  readonly plaintext: string;
  readonly ciphertext: string;
}

/** Looks every letter up in a table: the row of the alphabet that belongs to its key letter. */
function encrypted(text: string, { cipher, shift, key }: Puzzle): string {
  if (cipher === "reverse") return Array.from(text, (_, i) => text[text.length - 1 - i]).join("");
  let count = 0;
  let result = "";
  for (const char of text) {
    const at = ALPHABET.indexOf(char);
    if (at < 0) {
      result += char;
      continue;
    }
    const by = cipher === "caesar" ? shift! : cipher === "vigenere" ? ALPHABET.indexOf(key![count % key!.length]!) : 0;
    result += cipher === "atbash" ? ALPHABET[25 - at] : (ALPHABET.slice(by) + ALPHABET.slice(0, by))[at];
    count++;
  }
  return result;
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const puzzle = row.metadata as unknown as Puzzle;
    const given = /(?:this text:|文本：)\s*([A-Z ]+)/.exec(row.question)![1]!.trim();
    const encrypts = puzzle.direction === "encrypt";
    const stored = encrypts ? puzzle.ciphertext : puzzle.plaintext;
    // The answer with nothing, one letter or the order of two changed, or the text as given.
    const letters = [...stored];
    const kind = Math.floor(random.next() * 4);
    const at = Math.floor(random.next() * letters.length);
    if (kind === 1) letters[at] = ALPHABET[Math.floor(random.next() * 26)]!;
    if (kind === 2) [letters[0], letters[at]] = [letters[at]!, letters[0]!];
    const text = kind === 3 ? given : letters.join("");
    const right = encrypts ? encrypted(given, puzzle) === text : encrypted(text, puzzle) === given;
    return { text: `\`\`\`python\n[["${text}"]]\n\`\`\``, right };
  },
};

import type { Oracle } from "../oracle.js";

type Metadata = { readonly words: readonly string[]; readonly front_letters: string; readonly order: number };

/** Translates each word into the letters a, b, c, … of the new alphabet, so that the ordinary order of strings is the new one. */
function order({ words, front_letters, order }: Metadata): string[] {
  const front = front_letters.split(",");
  const alphabet = [...front, ...[..."abcdefghijklmnopqrstuvwxyz"].filter((letter) => !front.includes(letter))];
  const keyed = words.map((word) => ({ word, key: [...word].map((c) => String.fromCharCode(97 + alphabet.indexOf(c))).join("") }));
  const increasing = keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ word }) => word);
  return order === 1 ? increasing : increasing.reverse();
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const metadata = row.metadata as unknown as Metadata;
    const right = order(metadata);
    const words = [...right];
    const kind = random.next();
    const [i, j] = [Math.floor(random.next() * words.length), Math.floor(random.next() * words.length)];
    if (kind < 0.4) [words[i], words[j]] = [words[j]!, words[i]!];
    else if (kind < 0.5) words.sort();
    else if (kind < 0.6) words.reverse();
    else if (kind < 0.65) words.splice(i, 1);
    else if (kind < 0.7) words.push(words[i]!);
    return { text: `\\boxed{${words.join(random.next() < 0.5 ? "," : ", ")}}`, right: words.join() === right.join() };
  },
};

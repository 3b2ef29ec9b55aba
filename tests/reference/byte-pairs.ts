// Byte-pair encoding as it is defined: everything counted anew for every merge.

type Pair = readonly [left: string, right: string];

const pairsOf = (word: readonly string[]): Pair[] => word.slice(1).map((right, i) => [word[i]!, right]);

/** Every occurrence of the pair, from the left, made one token. */
function merge(word: readonly string[], [left, right]: Pair): string[] {
  const merged: string[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) merged.push(left + word[++i]!);
    else merged.push(word[i]!);
  }
  return merged;
}

/** Merges until there are `size` tokens: the most frequent pair, of several the one whose tokens came first. */
export function learnNaively(words: readonly (readonly string[])[], alphabet: readonly string[], size: number): Pair[] {
  const tokens = [...alphabet];
  const merges: Pair[] = [];
  let state = words;
  while (tokens.length < size) {
    const counts = new Map<string, { pair: Pair; count: number }>();
    for (const pair of state.flatMap(pairsOf)) {
      const entry = counts.get(pair.join(" "));
      if (entry) entry.count++;
      else counts.set(pair.join(" "), { pair, count: 1 });
    }
    const age = ([left, right]: Pair): number => tokens.indexOf(left) * 1e6 + tokens.indexOf(right);
    const [best] = [...counts.values()].sort((x, y) => y.count - x.count || age(x.pair) - age(y.pair));
    if (!best) break;
    const { pair } = best;
    if (!merges.some(([left, right]) => left === pair[0] && right === pair[1])) merges.push(pair);
    if (!tokens.includes(pair.join(""))) tokens.push(pair.join(""));
    state = state.map((word) => merge(word, pair));
  }
  return merges;
}

/** A word's tokens: of the pairs in it, the one learned first, until there is none. */
export function encodeNaively(word: readonly string[], merges: readonly Pair[]): string[] {
  const rank = new Map(merges.map((pair, i) => [pair.join(" "), i]));
  const rankOf = (pair: Pair): number => rank.get(pair.join(" ")) ?? Number.POSITIVE_INFINITY;
  const [first] = pairsOf(word).sort((x, y) => rankOf(x) - rankOf(y));
  return first && rankOf(first) < Number.POSITIVE_INFINITY ? encodeNaively(merge(word, first), merges) : [...word];
}

// What the clues of a web of lies imply.

/** A clue about people, given by number. `truth` is true if a fact holds, or if what is said agrees with it. */
export type Clue =
  | { readonly kind: "fact"; readonly person: number; readonly truth: boolean }
  /** The speaker says that the target tells the truth, or that it lies. */
  | { readonly kind: "says"; readonly speaker: number; readonly target: number; readonly truth: boolean }
  /** The speaker says that at least one of two people tells the truth; that both lie; or that at least one of them lies. */
  | { readonly kind: "pair"; readonly speaker: number; readonly targets: readonly [number, number]; readonly claim: PairClaim };

export type PairClaim = "one tells the truth" | "both lie" | "one lies";

const pairClaims: Readonly<Record<PairClaim, (a: boolean, b: boolean) => boolean>> = {
  "one tells the truth": (a, b) => a || b,
  "both lie": (a, b) => !a && !b,
  "one lies": (a, b) => !a || !b,
};

export const holdsPair = (claim: PairClaim, a: boolean, b: boolean): boolean => pairClaims[claim](a, b);

/** More groups than that in clues about pairs are not solved. Published puzzles have six people or ten. */
const MAX_FREE_GROUPS = 16;

/**
 * Groups of people of whom it is known that they are of the same or of the opposite kind, whatever they are. Person `people` stands for a
 * person who tells the truth, so that a fact is a clue as well.
 */
class Groups {
  private readonly parent: number[];
  private readonly differs: boolean[];

  constructor(people: number) {
    this.parent = Array.from({ length: people + 1 }, (_, person) => person);
    this.differs = Array(people + 1).fill(false);
  }

  /** The representative of a person's group, and whether the person is of the opposite kind. */
  find(person: number): { readonly root: number; readonly differs: boolean } {
    let [root, differs] = [person, false];
    while (this.parent[root] !== root) {
      differs = differs !== this.differs[root]!;
      root = this.parent[root]!;
    }
    return { root, differs };
  }

  /** Joins two people. Returns false if that contradicts what is known. */
  join(one: number, other: number, differ: boolean): boolean {
    const [a, b] = [this.find(one), this.find(other)];
    if (a.root === b.root) return (a.differs !== b.differs) === differ;
    this.parent[a.root] = b.root;
    this.differs[a.root] = (a.differs !== b.differs) !== differ;
    return true;
  }
}

/**
 * Finds the answers that the clues allow for some people, at most two of them. None if the clues contradict each other.
 *
 * @returns undefined if there are too many clues about pairs
 */
export function possibleAnswers(people: number, clues: readonly Clue[], asked: readonly number[]): boolean[][] | undefined {
  const groups = new Groups(people);
  for (const clue of clues) {
    if (clue.kind === "fact" && !groups.join(clue.person, people, !clue.truth)) return [];
    // A speaker and a target of whom it says that they tell the truth are of the same kind.
    if (clue.kind === "says" && !groups.join(clue.speaker, clue.target, !clue.truth)) return [];
  }
  const pairs = clues.filter((clue) => clue.kind === "pair");
  const known = groups.find(people);
  const involved = [...asked, ...pairs.flatMap(({ speaker, targets }) => [speaker, ...targets])];
  const free = [...new Set(involved.map((person) => groups.find(person).root))].filter((root) => root !== known.root);
  const inPairs = new Set(pairs.flatMap(({ speaker, targets }) => [speaker, ...targets]).map((person) => groups.find(person).root));
  // Groups that are asked for and in no clue about pairs are free: two of them or one make no difference to "at most two answers".
  const inClues = free.filter((root) => inPairs.has(root));
  const others = free.filter((root) => !inPairs.has(root)).slice(0, 1);
  if (inClues.length > MAX_FREE_GROUPS) return undefined;
  const varied = [...inClues, ...others];
  const answers = new Map<string, boolean[]>();
  for (let bits = 0; bits < 2 ** varied.length && answers.size < 2; bits++) {
    const kinds = new Map(varied.map((root, i) => [root, ((bits >> i) & 1) === 1]));
    const kind = (person: number) => {
      const { root, differs } = groups.find(person);
      const rootKind = root === known.root ? !known.differs : (kinds.get(root) ?? false);
      return rootKind !== differs;
    };
    if (!pairs.every(({ speaker, targets: [a, b], claim }) => kind(speaker) === holdsPair(claim, kind(a), kind(b)))) continue;
    const answer = asked.map(kind);
    answers.set(String(answer), answer);
  }
  return [...answers.values()];
}

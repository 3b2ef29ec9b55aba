// Computes the answers that the clues of web_of_lies imply.

/** A clue about people, who are numbered from 0. */
export type Clue =
  /** The person tells the truth (`truth: true`), or lies (`truth: false`). */
  | { readonly kind: "fact"; readonly person: number; readonly truth: boolean }
  /** The speaker says that the target tells the truth (`truth: true`), or that the target lies (`truth: false`). */
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

/**
 * Maximum number of {@link Groups} of people that the clues about pairs mention. With more, the search gives up. Published puzzles have
 * six or ten people, so they have fewer groups.
 */
const MAX_FREE_GROUPS = 16;

/**
 * Groups of people whose honesty depends on each other: if it is known whether one member lies, it is known for all members.
 *
 * An additional person with the number `people` always tells the truth. A fact about a person joins that person to it.
 */
class Groups {
  private readonly parent: number[];
  private readonly differs: boolean[];

  constructor(people: number) {
    this.parent = Array.from({ length: people + 1 }, (_, person) => person);
    this.differs = Array(people + 1).fill(false);
  }

  /** Returns the representative of a person's group, and whether the person is of the opposite kind. */
  find(person: number): { readonly root: number; readonly differs: boolean } {
    let [root, differs] = [person, false];
    while (this.parent[root] !== root) {
      differs = differs !== this.differs[root]!;
      root = this.parent[root]!;
    }
    return { root, differs };
  }

  /** Records that two people are of the same kind or of opposite kinds. Returns false if that contradicts earlier clues. */
  join(one: number, other: number, differ: boolean): boolean {
    const [a, b] = [this.find(one), this.find(other)];
    if (a.root === b.root) return (a.differs !== b.differs) === differ;
    this.parent[a.root] = b.root;
    this.differs[a.root] = (a.differs !== b.differs) !== differ;
    return true;
  }
}

/**
 * Finds the combinations of answers that the clues allow for the people asked about. Stops after two combinations. Returns none if the
 * clues contradict each other.
 *
 * @returns for each combination, whether each of the people tells the truth; undefined if there are too many clues about pairs
 */
export function possibleAnswers(people: number, clues: readonly Clue[], asked: readonly number[]): boolean[][] | undefined {
  const groups = new Groups(people);
  for (const clue of clues) {
    if (clue.kind === "fact" && !groups.join(clue.person, people, !clue.truth)) return [];
    // If A says that B tells the truth, both are of the same kind. If A says that B lies, they are of opposite kinds.
    if (clue.kind === "says" && !groups.join(clue.speaker, clue.target, !clue.truth)) return [];
  }
  const pairs = clues.filter((clue) => clue.kind === "pair");
  const known = groups.find(people);
  const involved = [...asked, ...pairs.flatMap(({ speaker, targets }) => [speaker, ...targets])];
  const free = [...new Set(involved.map((person) => groups.find(person).root))].filter((root) => root !== known.root);
  const inPairs = new Set(pairs.flatMap(({ speaker, targets }) => [speaker, ...targets]).map((person) => groups.find(person).root));
  // Groups that are asked about but occur in no clue about pairs are free. One free group already gives two answers, so only one of them is
  // varied.
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

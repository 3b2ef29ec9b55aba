// How each task differs from the published one, for the gallery in docs/tasks.md.

export const differences = {
  arc_agi: "The published set has no generator. Ours draws one of ten rules, and draws again if another rule explains the examples too.",
  arrow_maze: "The puzzle is the same. Every right filling is accepted, not only the stored one.",
  boolean_expressions: "Options consist of comparisons and undisputed facts only. Values are exact fractions.",
  buggy_tables: "The prompt states exactly which rows and cells are damaged, and how. The number is read from the JSON answer.",
  calcudoko:
    "A cage with a division holds two numbers whose ratio is an integer. Left-over cells join a cage before its target is computed.",
  campsite: "The prompt states how tents belong to trees, and the verifier tests exactly this rule.",
  cipher: "The published set has no generator. Ours covers Caesar, Atbash, reversal and Vigenère.",
  cryptarithm: "English prompts contain no Chinese.",
  dyck_language: "Every prompt asks for the shortest completion. Reasoning may precede the answer.",
  dyck_language_errors:
    "The stored answers are recomputed. Sequences that are balanced (-1) and sequences that end too early (the length plus 1) occur as often as each other.",
  dyck_language_reasoning_errors: "The steps of the trace are in the language of the prompt; the published steps are always Chinese.",
  futoshiki: "Inequality signs are derived from a filled grid, so that every puzzle has a solution.",
  game_of_24:
    "The value of the answer must be the target. Sets of numbers whose solution needs two separate pairs of brackets are included.",
  goods_exchange: "All twelve kinds of events occur. The answer must name each person exactly once.",
  kukurasu: "The puzzle is the same. The sums of the rows and the sums of the columns need not have the same total.",
  math_path: "The answer must agree with the puzzle at every place that is not a question mark.",
  minesweeper: "The prompt asks for all cells that must be mines, including those that follow only from several numbers together.",
  norinori: "Every region is tested for its two covered cells, including a region that the answer leaves empty.",
  number_wall: "The prompt states every rule that is tested.",
  numbrix: "The path is random; some published solutions are plain row-by-row snakes.",
  object_counting: "None.",
  object_properties: 'Attributes that the story does not tell are unknown. If the count depends on them, the answer is "unknown".',
  operation: "Values are exact fractions. The prompt states how operators of equal precedence are grouped.",
  skyscraper_puzzle: "The puzzle is the same. Every grid that agrees with the clues is accepted.",
  space_reasoning: "The prompt describes the lattice exactly. Its sentences are grammatical.",
  space_reasoning_tree:
    "All sentences of a prompt are in the same language. The metadata contain the tree. English answers must be in alphabetical order; Chinese answers may be in any order, because Chinese names have no alphabetical order.",
  star_placement_puzzle: "The generator draws from all placements of stars, and every puzzle has exactly one solution.",
  sudoku: "None.",
  survo: "The puzzle is the same. Every filling that uses the given numbers is accepted.",
  time_sequence: "Every rule is applied exactly as the prompt states it.",
  web_of_lies: "A denial is printed as the exact negation of the denied statement.",
  word_sorting: "Words come from a list of this project, or from the caller's list.",
  word_sorting_mistake: 'A mistake is always put into an existing step. "No" is not the most frequent answer.',
  wordscapes: "Every word must fill its own slot. Words come from a list of this project, or from the caller's list.",
  zebra_puzzle: "The published set has no generator. Ours draws minimal sets of clues with exactly one solution.",
};

// How each task differs from the published one, for the gallery in docs/tasks.md.

export const differences = {
  arc_agi:
    "The published set has no generator for this task. This library draws one of ten rules, and draws again if a second rule explains the examples too.",
  arrow_maze: "The puzzle is the same. Every right filling is accepted, not only the stored one.",
  boolean_expressions: "Options contain only comparisons and facts that are not disputed. Values are exact fractions.",
  buggy_tables: "The prompt states exactly which rows and cells are damaged, and how. The verifier reads the number from the JSON answer.",
  calcudoko:
    "The two numbers of a cage with a division have an integer ratio. Cells that are left over are added to a cage before its target is computed.",
  campsite: "The prompt states which tents belong to which trees, and the verifier checks exactly this rule.",
  cipher: "The published set has no generator for this task. This library has four ciphers: Caesar, Atbash, reversal and Vigenère.",
  cryptarithm: "English prompts contain no Chinese text.",
  dyck_language: "Every prompt asks for the shortest completion. A response may contain reasoning before the answer.",
  dyck_language_errors:
    "Wrong stored answers of published rows are recomputed. Balanced sequences (answer -1) are as frequent as sequences that end too early (answer: the length plus 1).",
  dyck_language_reasoning_errors: "The steps of the trace are in the language of the prompt; the published steps are always Chinese.",
  futoshiki: "Inequality signs are derived from a filled grid. Every puzzle therefore has a solution.",
  game_of_24: "The value of the answer must equal the target. Puzzles whose solution needs two separate pairs of brackets are included.",
  goods_exchange: "All twelve kinds of events occur. The answer must name each person exactly once.",
  kukurasu: "The puzzle is the same. The total of all row sums may differ from the total of all column sums.",
  math_path: "The answer must agree with the puzzle at every place that is not a question mark.",
  minesweeper: "The prompt asks for all cells that must be mines, including those that follow only from several numbers at once.",
  norinori: "The verifier checks that every region has two covered cells, including regions in which the answer covers none.",
  number_wall: "The prompt states every rule that the verifier checks.",
  numbrix: "The path is random. In some published puzzles, the numbers simply go through the grid row by row.",
  object_counting: "None.",
  object_properties: 'If the count depends on attributes that the story does not mention, the answer is "unknown".',
  operation: "Values are exact fractions. The prompt states how operators of equal precedence are grouped.",
  skyscraper_puzzle: "The puzzle is the same. Every grid that agrees with the clues is accepted.",
  space_reasoning: "The prompt describes the lattice exactly, in grammatical sentences.",
  space_reasoning_tree:
    "All sentences of a prompt are in the same language. The metadata contain the tree. English answers must be in alphabetical order. Chinese names have no such order, so Chinese answers may be in any order.",
  star_placement_puzzle: "Solutions are drawn from all placements of stars, and every puzzle has exactly one solution.",
  sudoku: "None.",
  survo: "The puzzle is the same. Every filling that uses the given numbers is accepted.",
  time_sequence: "Every rule is applied exactly as the prompt states it.",
  web_of_lies: "If a person denies a statement, the printed sentence is its exact negation.",
  word_sorting: "Words come from this library's own list, or from a list that you pass.",
  word_sorting_mistake: 'A mistake is always in a step that exists. "No" is not the most frequent answer.',
  wordscapes: "Every word must fill its own slot. Words come from this library's own list, or from a list that you pass.",
  zebra_puzzle: "The published set has no generator for this task. This library draws minimal sets of clues with exactly one solution.",
};

import type { SynlogicTask } from "../definition.js";
import { arcAgi } from "./arc-agi.js";
import { arrowMaze } from "./arrow-maze.js";
import { booleanExpressions } from "./boolean-expressions.js";
import { buggyTables } from "./buggy-tables.js";
import { calcudoko } from "./calcudoko.js";
import { campsite } from "./campsite.js";
import { cipher } from "./cipher.js";
import { cryptarithm } from "./cryptarithm.js";
import { dyckLanguage } from "./dyck-language.js";
import { dyckLanguageErrors } from "./dyck-language-errors.js";
import { dyckLanguageReasoningErrors } from "./dyck-language-reasoning-errors.js";
import { futoshiki } from "./futoshiki.js";
import { gameOf24 } from "./game-of-24.js";
import { goodsExchange } from "./goods-exchange.js";
import { kukurasu } from "./kukurasu.js";
import { mathPath } from "./math-path.js";
import { minesweeper } from "./minesweeper.js";
import { norinori } from "./norinori.js";
import { numberWall } from "./number-wall.js";
import { numbrix } from "./numbrix.js";
import { objectCounting } from "./object-counting.js";
import { objectProperties } from "./object-properties.js";
import { operation } from "./operation.js";
import { skyscraperPuzzle } from "./skyscraper-puzzle.js";
import { spaceReasoning } from "./space-reasoning.js";
import { spaceReasoningTree } from "./space-reasoning-tree.js";
import { starPlacementPuzzle } from "./star-placement-puzzle.js";
import { sudoku } from "./sudoku.js";
import { survo } from "./survo.js";
import { timeSequence } from "./time-sequence.js";
import { webOfLies } from "./web-of-lies.js";
import { wordSorting } from "./word-sorting.js";
import { wordSortingMistake } from "./word-sorting-mistake.js";
import { wordscapes } from "./wordscapes.js";
import { zebraPuzzle } from "./zebra-puzzle.js";

/** All 35 tasks, in alphabetical order of their names. */
export const definitions: readonly SynlogicTask[] = [
  arcAgi,
  arrowMaze,
  booleanExpressions,
  buggyTables,
  calcudoko,
  campsite,
  cipher,
  cryptarithm,
  dyckLanguage,
  dyckLanguageErrors,
  dyckLanguageReasoningErrors,
  futoshiki,
  gameOf24,
  goodsExchange,
  kukurasu,
  mathPath,
  minesweeper,
  norinori,
  numberWall,
  numbrix,
  objectCounting,
  objectProperties,
  operation,
  skyscraperPuzzle,
  spaceReasoning,
  spaceReasoningTree,
  starPlacementPuzzle,
  sudoku,
  survo,
  timeSequence,
  webOfLies,
  wordSorting,
  wordSortingMistake,
  wordscapes,
  zebraPuzzle,
];

import type { SynlogicTask } from "../definition.js";
import { dyckLanguage } from "./dyck-language.js";
import { dyckLanguageErrors } from "./dyck-language-errors.js";
import { dyckLanguageReasoningErrors } from "./dyck-language-reasoning-errors.js";
import { goodsExchange } from "./goods-exchange.js";
import { kukurasu } from "./kukurasu.js";

/** All tasks, in the alphabetical order of their names. */
export const definitions: readonly SynlogicTask[] = [
  dyckLanguage,
  dyckLanguageErrors,
  dyckLanguageReasoningErrors,
  goodsExchange,
  kukurasu,
];

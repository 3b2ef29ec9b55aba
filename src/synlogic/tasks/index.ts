import type { SynlogicTask } from "../definition.js";
import { goodsExchange } from "./goods-exchange.js";
import { kukurasu } from "./kukurasu.js";

/** All tasks, in the alphabetical order of their names. */
export const definitions: readonly SynlogicTask[] = [goodsExchange, kukurasu];

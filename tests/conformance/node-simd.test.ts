import { quick } from "../support/quick.js";
import { conformanceInNode } from "./suite.js";

await conformanceInNode("simd", quick ? 0.4 : 1);

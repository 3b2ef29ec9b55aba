import { conformanceInNode } from "./suite.js";

await conformanceInNode("simd");

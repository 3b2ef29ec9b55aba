import { conformanceInNode } from "./suite.js";

await conformanceInNode("relaxed", 0.4);

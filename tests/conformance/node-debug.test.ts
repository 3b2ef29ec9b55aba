import { conformanceInNode } from "./suite.js";

await conformanceInNode("debug", 0.4);

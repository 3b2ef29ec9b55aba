import { conformanceInNode } from "./suite.js";

await conformanceInNode("relaxed");

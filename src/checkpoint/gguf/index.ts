// What is loaded when a program asks for GGUF. The standalone build leaves it out.

export { exportCheckpoint } from "./export-checkpoint.js";
export { saveModel } from "./save-model.js";

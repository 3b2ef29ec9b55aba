export { type GroupOutcome, groupOutcome, hasPassRate } from "./group-outcome.js";
export { type LengthBias, type LengthBiasOptions, lengthBias, type RewardedLengths } from "./length-bias.js";
export { nextWindow, reportWindows, type WindowOptions, type WindowState } from "./length-windows.js";
export { drawPart, type MixturePart, mixture, rampUp } from "./mixture.js";

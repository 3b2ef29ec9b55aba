export { type GroupOutcome, groupOutcome, hasPassRate } from "./filter.js";
export { type LengthBias, type LengthBiasOptions, lengthBias, type RewardedLengths } from "./length-bias.js";
export { drawPart, type MixturePart, mixture, rampUp } from "./mixture.js";
export { nextWindow, reportWindows, type WindowOptions, type WindowState } from "./windows.js";

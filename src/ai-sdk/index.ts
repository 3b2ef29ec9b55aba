/**
 * Adapts models of this library to the AI SDK. See {@link lightningM1}.
 *
 * @module lightning-m1/ai-sdk
 */
export { type LightningM1Settings, lightningM1 } from "./provider.js";

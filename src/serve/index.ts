/**
 * Serves a model over OpenAI's HTTP interface. See {@link Server}.
 *
 * @module lightning-m1/serve
 */
export type { ServeOptions } from "./serve-options.js";
export { Server } from "./server.js";

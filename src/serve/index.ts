/**
 * A model behind OpenAI's HTTP interface. See {@link Server}.
 *
 * @module lightning-m1/serve
 */
export { Server } from "./app.js";
export type { ServeOptions } from "./options.js";

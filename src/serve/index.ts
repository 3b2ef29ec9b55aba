/**
 * Serves a model over OpenAI's HTTP interface (see {@link Server}), and environments over OpenEnv's (see {@link OpenEnvServer}).
 *
 * @module lightning-m1/serve
 */
export type { OpenEnvOptions, ServedEnvironment } from "./open-env/open-env-options.js";
export { OpenEnvServer } from "./open-env/open-env-server.js";
export type { ServeOptions } from "./serve-options.js";
export { Server } from "./server.js";

// The script of the worker. In the package, there is one for Node, and one for pages that imports dist/standalone/lightning-m1.js.

import { serveWorker } from "./serve-worker.js";

serveWorker();

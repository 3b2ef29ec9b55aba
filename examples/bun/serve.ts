// bun serve.ts [PORT]
//
// Serves the bundled model with OpenAI's interface on http://localhost:8000/v1.

import { MiniMaxM1 } from "lightning-m1";
import { Server } from "lightning-m1/serve";

const server = new Server(await MiniMaxM1.load());
const { url } = Bun.serve({
  port: Number(process.argv[2] ?? 8000),
  idleTimeout: 0, // an answer may take long
  fetch: (request) => server.fetch(request),
});
console.log(`${url}v1`);

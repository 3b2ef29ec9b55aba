// Serves the bundled model with OpenAI's interface at /v1, for example POST /v1/chat/completions. Answers stream if the request asks for it.

import { MiniMaxM1 } from "lightning-m1";
import { Server } from "lightning-m1/serve";

let server;

async function handle(request) {
  server ??= MiniMaxM1.load().then((model) => new Server(model)); // once, with the first request
  return (await server).fetch(request);
}

export { handle as GET, handle as POST };

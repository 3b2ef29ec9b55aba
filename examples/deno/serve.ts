// deno run --allow-read --allow-net serve.ts [PORT]
//
// Serves the bundled model with OpenAI's interface on http://localhost:8000/v1.

import { MiniMaxM1 } from "lightning-m1";
import { Server } from "lightning-m1/serve";

const server = new Server(await MiniMaxM1.load());
Deno.serve({ port: Number(Deno.args[0] ?? 8000) }, (request) => server.fetch(request));

// Error responses: their status, code and message.

import { describe, expect, onTestFinished, test } from "vitest";
import { Server } from "../../src/serve/index.js";
import { expectMemoryFreed, model } from "./harness.js";

await expectMemoryFreed();

describe("invalid requests get an error that names the field, the rule and the value", () => {
  const { fetch: answer } = new Server(model, { maxTokens: 100, maxBatch: 4, maxCacheBytes: 10_000_000, maxBodyBytes: 5000 });
  const post = (path: string, body: unknown, headers: object = { "content-type": "application/json" }) =>
    answer(
      new Request(`http://x${path}`, {
        method: "POST",
        headers: { ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    );
  const completions: [object | string, RegExp][] = [
    ["{", /^body: invalid JSON/],
    ["[]", /body: .*JSON object, got an array/],
    [{}, /prompt: .*text, token ids, or a list of either/],
    [{ prompt: [] }, /prompt: /],
    [{ prompt: [1, "a"] }, /prompt: /],
    [{ prompt: "" }, /at least one token/],
    [{ prompt: [448] }, /\[0, 448\), got 448/],
    [{ prompt: "x", temperature: -1 }, /temperature: .*at least 0, got -1/],
    [{ prompt: "x", top_p: 2 }, /top_p: .*\(0, 1\], got 2/],
    [{ prompt: "x", seed: 0.5 }, /seed: .*2\^63\), got 0\.5/],
    [{ prompt: "x", seed: 1e20 }, /seed: .*2\^63\), got 1000/],
    [{ prompt: "x", max_tokens: 101 }, /^max_tokens: .*at most 100 .*got 101/],
    [{ prompt: "x", n: 5 }, /^n: .*at most 4 answers .*got 5/],
    [{ prompt: "x", logprobs: 21 }, /logprobs: .*\[0, 20\], got 21/],
    [{ prompt: "x", stop: "" }, /stop: /],
    [{ prompt: "x", stop_token_ids: [448] }, /stopIds: .*\[0, 448\), got 448/],
    [{ prompt: "x", presence_penalty: 1 }, /presence_penalty: .*expected 0 .*got 1/],
    [{ prompt: "x", echo: true }, /echo: .*false/],
    [{ prompt: "x", tempreature: 1 }, /tempreature: unknown/],
    [{ prompt: Array(4096).fill(1) }, /^body: .*5000 bytes/],
  ];
  test.each(completions)("/v1/completions %j", async (body, message) => {
    const response = await post("/v1/completions", body);
    expect(response.status).toBe(message.source.includes("5000 bytes") ? 413 : 400);
    const { error } = (await response.json()) as { error: { message: string; type: string } };
    expect(error).toMatchObject({ type: "invalid_request_error", param: null });
    expect(error.message).toMatch(message);
  });

  const user = { role: "user", content: "x" };
  const chats: [object, RegExp][] = [
    [{}, /messages: /],
    [{ messages: [] }, /messages: .*at least one message/],
    [{ messages: [{ role: "wizard", content: "x" }] }, /messages\[0\]\.role: .*system, user, assistant or tool/],
    [{ messages: [{ role: "user", content: [{ type: "image_url" }] }] }, /messages\[0\]\.content\[0\]: .*text/],
    [{ messages: [{ role: "tool", tool_call_id: "a", content: "x" }] }, /the name of the tool/],
    [{ messages: [user], top_logprobs: 2 }, /top_logprobs: .*logprobs: true/],
    [{ messages: [user], tool_choice: "required" }, /tool_choice: .*"auto" or "none"/],
    [{ messages: [user], response_format: { type: "json_object" } }, /response_format\.type: .*"text"/],
    [{ messages: [user], chat_template: "{{ 1 }}" }, /^chat_template: .*trustTemplates/],
  ];
  test.each(chats)("/v1/chat/completions %j", async (body, message) => {
    const response = await post("/v1/chat/completions", body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: { message: string } }).error.message).toMatch(message);
  });

  test("other models, paths, methods, media types and encodings", async () => {
    expect((await post("/v1/completions", { prompt: "x", model: "gpt" })).status).toBe(404);
    expect((await post("/v1/engines", {})).status).toBe(404);
    for (const path of ["//v1/completions", "/v1//completions", "/v1/completions/"]) {
      expect((await post(path, { prompt: "x", max_tokens: 1 })).status, path).toBe(200);
    }
    expect((await post("/", {})).status).toBe(404);
    for (const [path, wrong, right] of [
      ["/v1/models", "DELETE", "GET"],
      ["/v1/chat/completions", "GET", "POST"],
    ] as const) {
      const response = await new Server(model).fetch(new Request(`http://x${path}`, { method: wrong }));
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe(right);
      expect(((await response.json()) as { error: { message: string } }).error.message).toContain(`expected ${right}`);
    }
    expect((await post("/v1/completions", { prompt: "x" }, { "content-type": "text/plain" })).status).toBe(415);
    const bytes = new Request("http://x/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Uint8Array.of(0x22, 0xff, 0x22),
    });
    expect((await answer(bytes)).status).toBe(400);
    expect(() => new Server(model, { maxBatch: 0 })).toThrow(/maxBatch: .*at least 1, got 0/);
    expect(() => new Server(model, { ports: 1 } as never)).toThrow(/ports: unknown/);
  });

  test("chat templates are rendered under trustTemplates", async () => {
    const trusting = new Server(model, { trustTemplates: true });
    onTestFinished(() => trusting.drain(1));
    const response = await trusting.fetch(
      new Request("http://x/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [user], chat_template: "Compute 3", max_tokens: 3, return_token_ids: true }),
      }),
    );
    expect(((await response.json()) as { prompt_token_ids: number[] }).prompt_token_ids).toEqual(model.tokenizer!.encode("Compute 3"));
  });
});

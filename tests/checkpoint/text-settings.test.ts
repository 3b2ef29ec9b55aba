import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { loadCheckpoint } from "../../src/checkpoint/load.js";
import { saveCheckpoint } from "../../src/checkpoint/save.js";
import { readTextSettings } from "../../src/checkpoint/text-settings.js";
import { MiniMaxM1 } from "../../src/minimax-m1.js";
import { type Files, json, serve, singleFile, withServer } from "../support/checkpoints.js";
import { put } from "../support/streaming.js";

const text = (value: string) => new TextEncoder().encode(value);
const settings = async (files: Record<string, Uint8Array>) => {
  const { chatTemplate, toolTemplate } = await readTextSettings(new Map(Object.entries(files)));
  return [chatTemplate, toolTemplate];
};

const named = [
  { name: "default", template: "plain" },
  { name: "tool_use", template: "tools" },
  { name: "rag", template: "documents" },
];

describe("chat templates, as transformers reads them", () => {
  const list = { "tokenizer_config.json": json({ chat_template: named }) };
  const extra = "additional_chat_templates/tool_use.jinja";

  test.each<[string, Record<string, Uint8Array>, (string | undefined)[]]>([
    ["none", {}, [undefined, undefined]],
    ["one", { "tokenizer_config.json": json({ chat_template: "plain" }) }, ["plain", undefined]],
    ["a list by name", list, ["plain", "tools"]],
    [
      "an object by name",
      { "tokenizer_config.json": json({ chat_template: { default: "plain", tool_use: "tools" } }) },
      ["plain", "tools"],
    ],
    ["a list in chat_template.json", { "chat_template.json": json({ chat_template: named }) }, ["plain", "tools"]],
    ["tool_use alone", { "tokenizer_config.json": json({ chat_template: named.slice(1) }) }, [undefined, "tools"]],
    [
      "entries that are none",
      { "tokenizer_config.json": json({ chat_template: [null, "x", { name: "default" }, ...named] }) },
      ["plain", "tools"],
    ],
    ["files", { "chat_template.jinja": text("plain"), [extra]: text("tools") }, ["plain", "tools"]],
    ["a file in place of all that the configuration names", { ...list, "chat_template.jinja": text("file") }, ["file", undefined]],
    ["a further file beside the configuration's", { ...list, [extra]: text("file") }, ["plain", "file"]],
  ])("%s", async (_, files, expected) => {
    expect(await settings(files)).toEqual(expected);
  });
});

describe("a template named tool_use", () => {
  const render = (what: string) => `${what}{% for m in messages %} {{ m['content'] }}{% endfor %}`;
  const messages = [{ role: "user", content: "hi" }] as const;
  const tools = [{ name: "look" }];
  const files = (): Files =>
    singleFile()
      .set("chat_template.jinja", text(render("plain")))
      .set("additional_chat_templates/tool_use.jinja", text(render("tools")));

  test("counts if there are tools, unless the caller gives one", async () => {
    const model = await MiniMaxM1.load(files(), { threads: 1 });
    expect(await model.formatChat(messages)).toBe("plain hi");
    expect(await model.formatChat(messages, { tools: [] })).toBe("plain hi");
    expect(await model.formatChat(messages, { tools })).toBe("tools hi");
    expect(await model.formatChat(messages, { tools, template: "mine" })).toBe("mine");
    model.dispose();
  });

  test("is read from a directory, picked files and a URL, and saved", async () => {
    const kept = [...files().keys()].sort();
    const directory = put(files());
    const picked = [...files()].map(([name, bytes]) =>
      Object.defineProperty(new File([bytes as BlobPart], name.split("/").at(-1)!), "webkitRelativePath", { value: `ck/${name}` }),
    );
    await withServer(
      (request, response) => serve(files(), request, response, "/ck/"),
      async (url) => {
        for (const source of [directory, picked, `${url}/ck/`]) {
          const checkpoint = await loadCheckpoint(source);
          const saved = await saveCheckpoint(checkpoint);
          expect([...saved.keys()].sort()).toEqual(kept);
          const to = put(new Map());
          await saveCheckpoint(checkpoint, to);
          checkpoint.rt.dispose();
          expect((await readdir(to, { recursive: true })).sort()).toEqual([...kept, "additional_chat_templates"].sort());
        }
      },
    );
  });
});

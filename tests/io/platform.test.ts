import { afterEach, expect, test, vi } from "vitest";
import { CheckpointError } from "../../src/base/errors.js";
import { missingFileHint } from "../../src/io/byte-source.js";
import { platform } from "../../src/io/platform.js";
import { facts } from "../support/facts.js";

afterEach(() => vi.unstubAllGlobals());

const worker = (href: string) => ({ location: new URL(href), document: undefined });
const page = (href: string, baseURI = href) => ({ location: new URL(href), document: { baseURI } });

test.each<[string, string, Record<string, unknown>, string]>([
  ["a page", "./ck/", page("http://host/app/index.html?x"), "http://host/app/ck/"],
  ["a page with a <base>", "ck/", page("http://host/app/", "http://host/other/"), "http://host/other/ck/"],
  ["a worker: its script", "./ck/", worker("http://host/assets/worker.js?v=1"), "http://host/assets/ck/"],
  ["a worker: its origin", "/ck/", worker("http://host/assets/worker.js"), "http://host/ck/"],
  ["a worker made from a Blob: its origin", "/ck/", worker("blob:http://host:5173/0123-4567"), "http://host:5173/ck/"],
  ["one file", "./ck/one.safetensors", page("http://host/"), "http://host/ck/"],
])("a relative address is resolved as fetch does it, in %s", async (_, text, globals, url) => {
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
  expect((await platform.openPath(text, {})).name).toBe(url);
});

test("what is said of a missing file tells how the address was understood", async () => {
  vi.stubGlobal("location", new URL("http://host/assets/worker.js?v=1"));
  const hint = missingFileHint(await platform.openPath("./ck/", {}));
  expect(hint).toMatch(facts('"./ck/"…http://host/assets/worker.js…new URL("./ck/", location.href).href'));
  vi.stubGlobal("document", { baseURI: "http://host/app/#top" });
  expect(missingFileHint(await platform.openPath("./ck/", {}))).toMatch(facts('"./ck/"…http://host/app/'));
});

test.each(["blob:http://host/0123", "blob:null/0123", "data:text/javascript,0"])(
  "in a worker at %s a relative address is refused",
  async (href) => {
    vi.stubGlobal("location", { href });
    await expect(platform.openPath("./ck/", {})).rejects.toThrow(CheckpointError);
  },
);

test("in a worker made from a Blob the error says what to do", async () => {
  vi.stubGlobal("location", { href: "blob:http://host/0123" });
  await expect(platform.openPath("./ck/", {})).rejects.toThrow(/URL.*relative.*Blob.*new URL\("\.\/ck\/", location\.href\)\.href/);
});

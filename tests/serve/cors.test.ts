import { describe, expect, test } from "vitest";
import { Server } from "../../src/serve/index.js";
import { endless } from "./harness.js";

/** The `access-control-allow-origin` header of the response to a preflight request from this origin. */
async function allowed(cors: string | readonly string[] | undefined, origin: string, refused: string[] = []) {
  const server = new Server(endless, { ...(cors !== undefined && { cors }), onRefusedOrigin: (one) => refused.push(one) });
  const headers = { origin, "access-control-request-method": "POST" };
  const response = await server.fetch(new Request("http://127.0.0.1:8000/v1/chat/completions", { method: "OPTIONS", headers }));
  return response.headers.get("access-control-allow-origin");
}

const PAGE = "http://127.0.0.1:5163";

describe("an origin that is allowed", () => {
  test.each<[string | string[], string]>([
    [PAGE, PAGE],
    [[PAGE, "http://127.0.0.1:5165"], PAGE],
    [["http://127.0.0.1:5165", PAGE], PAGE],
    [`${PAGE},http://127.0.0.1:5165`, PAGE],
    [`http://127.0.0.1:5165 , ${PAGE}`, PAGE],
    [[`https://a.example,https://b.example`, PAGE], "https://b.example"],
    [`${PAGE}/`, PAGE],
    ["HTTPS://Example.COM", "https://example.com"],
    ["https://example.com:443", "https://example.com"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["http://[::1]:5163", "http://[::1]:5163"],
    ["chrome-extension://abcdefgh", "chrome-extension://abcdefgh"],
    ["capacitor://localhost/", "capacitor://localhost"],
    ["null", "null"],
  ])("%j allows %s", async (cors, origin) => {
    const refused: string[] = [];
    expect(await allowed(cors, origin, refused)).toBe(origin);
    expect(refused).toEqual([]);
    expect(await allowed(cors, "https://evil.example", refused)).toBeNull();
    expect(refused).toEqual(["https://evil.example"]);
  });

  test.each(["*", ["*"], ["https://a.example", "*"], "https://a.example,*"])("%j allows all origins", async (cors) => {
    for (const origin of [PAGE, "null", "app://x"]) expect(await allowed(cors, origin)).toBe("*");
  });
});

test.each([
  ["127.0.0.1:5163", 'got "127.0.0.1:5163" (the scheme is missing: http://127.0.0.1:5163 or https://127.0.0.1:5163?)'],
  ["localhost:5163", "(the scheme is missing: http://localhost:5163 or https://localhost:5163?)"],
  ["example.com", "scheme is missing"],
  ["", 'got ""'],
  [`${PAGE},`, 'got ""'],
  [`${PAGE}/app`, "no path: http://127.0.0.1:5163"],
  [`${PAGE}?x`, "no path"],
  ["https://*.example.com", "wildcard"],
  ["https://", 'got "https://"'],
  ["https://a b", 'got "https://a b"'],
  ["http://127.0.0.1:99999", "99999"],
  ["http://user:secret@a.example", "password"],
  ["file:///home/x/index.html", "origin null"],
  [[PAGE, "a.example"], "scheme is missing"],
])("%j is not an origin: the constructor throws", (cors, message) => {
  expect(() => new Server(endless, { cors })).toThrow(message);
});

test("reports each refused origin once, at most 100; pages of the server itself are not refused", async () => {
  for (const cors of [undefined, PAGE]) {
    const refused: string[] = [];
    const server = new Server(endless, { ...(cors && { cors }), onRefusedOrigin: (origin) => refused.push(origin) });
    const ask = (origin?: string) => server.fetch(new Request("http://127.0.0.1:8000/health", { headers: { ...(origin && { origin }) } }));
    for (const origin of ["http://a.example", "http://b.example", "http://a.example", undefined, "http://127.0.0.1:8000"])
      await ask(origin);
    expect(refused).toEqual(["http://a.example", "http://b.example"]);
    for (let i = 0; i < 500; i++) await ask(`http://${i}.example`);
    expect(refused).toHaveLength(100);
  }
});

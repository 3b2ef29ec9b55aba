import { expect, test } from "vitest";
import { parseUrl } from "../../src/base/url.js";

test("a URL with letters outside ASCII stays a URL in a function that is called often", () => {
  for (let call = 0; call < 20_000; call++) {
    expect(parseUrl("https://bücher.example/é")?.href).toBe("https://xn--bcher-kva.example/%C3%A9");
  }
});

test.each<[string, string | undefined, string | undefined]>([
  ["https://example.com", undefined, "https://example.com/"],
  ["modèle/", "http://127.0.0.1:8000/app/page", "http://127.0.0.1:8000/app/mod%C3%A8le/"],
  ["model", undefined, undefined],
  ["https://", undefined, undefined],
  ["http://a b", undefined, undefined],
])("%j relative to %j is %j", (text, base, href) => {
  expect(parseUrl(text, base)?.href).toBe(href);
});

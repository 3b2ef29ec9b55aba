import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { Sha256 } from "../../src/base/sha256.js";
import { random } from "../support/random.js";

test("SHA-256 equals Node's, for every length around a block and any division into parts", () => {
  const { uniform } = random(5);
  const data = Uint8Array.from({ length: 1000 }, () => Math.floor(256 * uniform()));
  for (let length = 0; length < 200; length++) {
    const bytes = data.subarray(3, 3 + length);
    const expected = createHash("sha256").update(bytes).digest("hex");
    expect(new Sha256().update(bytes).hex()).toBe(expected);
    const cut = Math.floor(length * uniform());
    const inParts = new Sha256().update(bytes.subarray(0, cut)).update(bytes.subarray(cut));
    expect(inParts.hex(), `${cut} of ${length}`).toBe(expected);
  }
});

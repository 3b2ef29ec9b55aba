import { describe, expect, test } from "vitest";
import { policyView } from "../../src/cli/runs/policy-view.js";
import { openRunView } from "../../src/cli/runs/run-view.js";
import type { Terminal } from "../../src/cli/text/terminal.js";
import { facts } from "../support/facts.js";

/** What a terminal shows in the end: text, line ends, and the movements that views make. */
function screen(animated: boolean) {
  const rows = [""];
  let row = 0;
  const write = (text: string) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what moves the cursor
    for (const [token, up] of text.matchAll(/\u001b\[(\d+)A|\u001b\[J|\u001b\[\?25[lh]|\r|\n|[^\u001b\r\n]+/g)) {
      if (up) row -= Number(up);
      else if (token === "\u001b[J") rows.splice(row, Number.POSITIVE_INFINITY, "");
      else if (token === "\n") rows[++row] ??= "";
      else if (!token.startsWith("\u001b") && token !== "\r") rows[row] += token;
    }
  };
  const plain = (text: string) => text;
  const terminal = {
    ...{ animated, stderr: { write, columns: 80 }, err: { yellow: plain, cyan: plain, dim: plain } },
    note: (line: string) => write(`${line}\n`),
  };
  return { terminal: terminal as unknown as Terminal, rows };
}

describe.each([true, false])("on a terminal that is animated: %s", (animated) => {
  test("warnings stay, whatever is redrawn, and control characters are seen", () => {
    const { terminal, rows } = screen(animated);
    const view = openRunView(terminal, "batch", 3);
    const shown = (batch: number, ...warnings: string[]) =>
      view.update(batch, { values: [["right", `${batch} %`]], line: [`right ${batch} %`], warnings });
    shown(1);
    shown(2, "the policy is collapsing", "judge: \u001b[2J");
    shown(3, "again");
    view.stop();
    const lines = rows.filter((line) => line !== "");
    expect(lines.filter((line) => line.startsWith("warning:"))).toEqual([
      expect.stringMatching(facts("warning: …collapsing")),
      "warning: judge: \u241b[2J",
      "warning: again",
    ]);
    // One bar, below them, with its facts.
    expect(lines.filter((line) => line.includes("3 / 3"))).toHaveLength(animated ? 1 : 0);
    expect(lines.at(-1)).toContain("right 3 %");
    if (animated) expect(lines).toHaveLength(5);
  });
});

test("warnings of a batch are shown", () => {
  const line = { batch: 1, step: 1, accuracy: 0.5, rewards: {}, updates: [], tokensPerSecond: 1, warnings: ["batch 1: no"] };
  const length = { mean: 1, p99: 1, window: 2, truncated: 0.5, repetitive: 0 };
  const { warnings, line: told } = policyView()({ ...line, length } as never);
  expect([warnings, told]).toEqual([["batch 1: no"], expect.arrayContaining(["cut off 50.0 %"])]);
});

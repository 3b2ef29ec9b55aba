import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ToolCallAssembler, type ToolCallDelta } from "../../src/remote/tool-call-assembler.js";

/** The calls in these events, each with one delta or several. */
function put(events: readonly (ToolCallDelta | readonly ToolCallDelta[])[], tools = ["look", "now"]) {
  const calls = new ToolCallAssembler(new Set(tools));
  for (const event of events) calls.push(Array.isArray(event) ? event : [event as ToolCallDelta]);
  return calls.toolCalls().map((call) => [call.name, call.arguments]);
}

const piece = (
  index: number | undefined,
  id: string | null | undefined,
  name: string | null | undefined,
  given?: unknown,
): ToolCallDelta => ({
  ...{ index, id, type: "function" },
  function: { name, arguments: given },
});
const [X, Y] = ['{"q":"x"}', '{"q":"y"}'];
const LOOK = [["look", X]];

describe("one call", () => {
  test.each<[string, (ToolCallDelta | ToolCallDelta[])[]]>([
    ["as OpenAI streams it", [piece(0, "a", "look", ""), piece(0, undefined, undefined, '{"q":'), piece(0, undefined, undefined, '"x"}')]],
    ["a name in every piece", [piece(0, "a", "look", ""), piece(0, "a", "look", '{"q":'), piece(0, "a", "look", '"x"}')]],
    ["a name in every piece, without ids", [piece(0, undefined, "look"), piece(0, "", "look", '{"q":'), piece(0, null, "look", '"x"}')]],
    ["a name in every piece, without index", ['{"q":', '"x"', "}"].map((given) => piece(undefined, "a", "look", given))],
    ["a name in every piece, without index and id", ['{"q":', '"x"}'].map((given) => piece(undefined, undefined, "look", given))],
    ["null in later pieces", [piece(0, "a", "look", null), piece(0, null, null, X)]],
    ["empty texts in later pieces", [piece(0, "a", "look", ""), piece(0, "", "", X), piece(0, "", "", "")]],
    ["another id in every piece", [piece(0, "a", "look", ""), piece(0, "b", null, '{"q":'), piece(0, "c", null, '"x"}')]],
    [
      "another id and the name in every piece",
      [piece(0, "a", "look", ""), piece(0, "b", "look", '{"q":'), piece(0, "c", "look", '"x"'), piece(0, "d", "look", "}")],
    ],
    ["one id at several indices", [piece(0, "a", "look", '{"q":'), piece(1, "a", "look", '"x"}')]],
    ["an index in the first piece only", [piece(0, "a", "look", '{"q":'), piece(undefined, undefined, undefined, '"x"}')]],
    ["an index in later pieces only", [piece(undefined, "a", "look", '{"q":'), piece(0, undefined, undefined, '"x"}')]],
    ["the name after the arguments", [piece(0, "a", undefined, '{"q":'), piece(0, "a", undefined, '"x"}'), piece(0, "a", "look", "")]],
    ["the name in pieces", [piece(0, "a", "lo", ""), piece(0, "a", "ok", ""), piece(0, undefined, undefined, X)]],
    ["the name in pieces, with the arguments", [piece(0, "a", "l"), piece(0, null, "oo"), piece(0, null, "k", X)]],
    ["a growing name", [piece(0, "a", "lo", ""), piece(0, "a", "look", ""), piece(0, "a", "look", X)]],
    ["arguments as an object", [piece(0, "a", "look", { q: "x" })]],
    ["arguments as an object, again", [piece(0, "a", "look", { q: "x" }), piece(0, "a", "look", { q: "x" })]],
    [
      "an empty object first",
      [piece(0, "a", "look", "{}"), piece(0, undefined, undefined, '{"q":'), piece(0, undefined, undefined, '"x"}')],
    ],
    ["an empty object first, as objects", [piece(0, "a", "look", {}), piece(0, "a", "look", { q: "x" })]],
    ["all arguments in every piece", [piece(0, "a", "look", X), piece(0, "a", "look", X), piece(0, "a", null, X)]],
    ["growing arguments", ['{"q":', '{"q":"x"', X].map((given) => piece(0, "a", "look", given))],
    [
      "all arguments once more at the end",
      ['{"q":', '"x"}', X].map((given) => piece(0, "a", undefined, given)).concat(piece(0, "a", "look")),
    ],
    ["several pieces in one event", [[piece(0, "a", "look", '{"q":'), piece(0, undefined, undefined, '"x"}')]]],
    ["no function around it", [{ index: 0, id: "a", name: "look", arguments: { q: "x" } } as ToolCallDelta]],
  ])("%s", (_, events) => {
    expect(put(events)).toEqual(LOOK);
  });

  test("malformed arguments are kept", () => {
    // An object inside incomplete arguments is not a call's arguments.
    expect(put([piece(0, "a", "look", '{"a":'), piece(0, null, null, '{"b":1}')])).toEqual([["look", '{"a":{"b":1}']]);
    expect(put([piece(0, "a", "look", X), piece(0, null, null, Y)])).toEqual([["look", X + Y]]);
  });
});

describe("several calls", () => {
  const both = [
    ["look", X],
    ["now", "{}"],
  ];
  test.each<[string, (ToolCallDelta | ToolCallDelta[])[], string[][]]>([
    ["at index 0, with ids", [piece(0, "a", "look", X), piece(0, "b", "look", Y)], [...LOOK, ["look", Y]]],
    ["the same twice at index 0, with ids", [piece(0, "a", "look", X), piece(0, "b", "look", X)], [...LOOK, ...LOOK]],
    [
      "at index 0, with ids, in pieces",
      [piece(0, "0", "look", ""), piece(0, "0", null, X), piece(0, "1", "now", ""), piece(0, "1", null, "{}")],
      both,
    ],
    [
      "at index 0, with numbers as ids",
      [
        { ...piece(0, "", "look", X), id: 0 },
        { ...piece(0, "", "now", "{}"), id: 1 },
      ],
      both,
    ],
    [
      "at index 0, later pieces without ids",
      [piece(0, "a", "look", ""), piece(0, "", null, X), piece(0, "b", "now", ""), piece(0, "", null, "{}")],
      both,
    ],
    ["of two tools at index 0, without ids", [piece(0, "", "look", X), piece(0, "", "now", "{}")], both],
    ["of two tools at index 0, without ids and arguments", [piece(0, "", "now", ""), piece(0, "", "look", X)], [["now", ""], ...LOOK]],
    ["of one tool at index 0, without ids", [piece(0, "", "look", X), piece(0, "", "look", Y)], [...LOOK, ["look", Y]]],
    ["without index, with ids", [piece(undefined, "a", "look", X), piece(undefined, "b", "now", "{}")], both],
    ["without index and id", [piece(undefined, undefined, "look", X), piece(undefined, undefined, "now", "{}")], both],
    [
      "the same twice, without index and id",
      [piece(undefined, undefined, "look", X), piece(undefined, undefined, "look", X)],
      [...LOOK, ...LOOK],
    ],
    [
      "without arguments, index and id",
      [piece(undefined, undefined, "now"), piece(undefined, undefined, "now", "")],
      [
        ["now", ""],
        ["now", ""],
      ],
    ],
    ["without index, in one event", [[piece(undefined, "a", "look", X), piece(undefined, "b", "now", "{}")]], both],
    ["at index 0, in one event", [[piece(0, "a", "look", X), piece(0, "b", "now", "{}")]], both],
    [
      "without index, both in every event",
      [
        [piece(undefined, undefined, "look", '{"q":'), piece(undefined, undefined, "now", "{")],
        [piece(undefined, undefined, undefined, '"x"}'), piece(undefined, undefined, undefined, "}")],
      ],
      both,
    ],
    [
      "by turns",
      [piece(1, "b", "now", ""), piece(0, "a", "look", '{"q":'), piece(1, null, null, "{}"), piece(0, null, null, '"x"}')],
      both,
    ],
  ])("%s", (_, events, calls) => {
    expect(put(events)).toEqual(calls);
  });
});

test("the calls are the same whatever a server leaves out or repeats", () => {
  const call = fc.record({
    name: fc.constantFrom("look", "now", "look_up", "a"),
    given: fc
      .dictionary(fc.string({ maxLength: 3 }), fc.jsonValue({ maxDepth: 1 }), { minKeys: 1, maxKeys: 3 })
      .map((value) => JSON.stringify(value)),
    cuts: fc.array(fc.nat(60), { maxLength: 4 }),
  });
  // At least one of index and id tells the calls apart, or each comes whole.
  const style = fc.constantFrom(
    { index: "right", id: "first", name: "first" },
    { index: "right", id: "none", name: "every" },
    { index: "right", id: "every", name: "every" },
    { index: "zero", id: "every", name: "every" },
    { index: "zero", id: "first", name: "first" },
    { index: "none", id: "every", name: "every" },
    { index: "none", id: "first", name: "first" },
    { index: "right", id: "new", name: "first" },
  );
  const form = fc.constantFrom("pieces", "growing", "whole", "object");
  fc.assert(
    fc.property(fc.array(call, { minLength: 1, maxLength: 3 }), style, form, fc.boolean(), (calls, { index, id, name }, form, opens) => {
      const events = calls.flatMap(({ name: tool, given, cuts }, at) => {
        const ends = [...new Set([...cuts.map((cut) => 1 + (cut % given.length)), given.length])].sort((a, b) => a - b);
        const parts =
          form === "pieces"
            ? ends.map((end, i) => given.slice(ends[i - 1] ?? 0, end))
            : form === "growing"
              ? ends.map((end) => given.slice(0, end))
              : [form === "whole" ? given : JSON.parse(given)];
        return [...(opens ? [""] : []), ...parts].map((part, i) => ({
          ...(index !== "none" && { index: index === "right" ? at : 0 }),
          ...((id === "every" || id === "new" || (id === "first" && i === 0)) && { id: id === "new" ? `${at}.${i}` : `id${at}` }),
          function: { ...((name === "every" || i === 0) && { name: tool }), arguments: part },
        }));
      });
      expect(put(events, ["look", "now", "look_up", "a"])).toEqual(calls.map(({ name, given }) => [name, given]));
    }),
    { numRuns: 2000 },
  );
});

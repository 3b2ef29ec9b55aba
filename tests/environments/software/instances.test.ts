// SWE-bench's formats of instances and predictions.

import { expect, test } from "vitest";
import { formatPredictions, gradeAnswer, parseInstances, parsePredictions } from "../../../src/environments/index.js";
import { InputError } from "../../../src/index.js";

/** A row as in the published files: lists as JSON strings, no snapshot. */
const published = {
  instance_id: "owner__name-12",
  repo: "owner/name",
  base_commit: "a".repeat(40),
  problem_statement: "It fails.",
  hints_text: "",
  version: "1.2",
  patch: "--- a/x\n+++ b/x\n",
  test_patch: "",
  created_at: "2026-01-01T00:00:00Z",
  FAIL_TO_PASS: '["tests/a.py::test_a"]',
  PASS_TO_PASS: '["tests/a.py::test_b", "tests/a.py::test_c"]',
  environment_setup_commit: "b".repeat(40),
};

test("lists are arrays or JSON strings, and other fields are kept", () => {
  const [row] = parseInstances(JSON.stringify(published));
  expect(row).toEqual({ ...published, FAIL_TO_PASS: ["tests/a.py::test_a"], PASS_TO_PASS: ["tests/a.py::test_b", "tests/a.py::test_c"] });
  const arrays = { ...published, FAIL_TO_PASS: ["a"], PASS_TO_PASS: [] };
  expect(parseInstances(JSON.stringify([arrays]))).toEqual([arrays]);
});

test("missing texts become empty, and numbers texts", () => {
  const [row] = parseInstances(
    '{"instance_id": "a", "problem_statement": "b", "FAIL_TO_PASS": ["t"], "version": 2, "hints_text": null}\n\n',
  );
  expect(row).toMatchObject({ version: "2", hints_text: "", patch: "", created_at: "", PASS_TO_PASS: [] });
});

test.each([
  [{ ...published, FAIL_TO_PASS: "tests/a.py" }, "line 1: FAIL_TO_PASS: expected a list of tests, or its JSON"],
  [{ ...published, PASS_TO_PASS: "[1]" }, "line 1: PASS_TO_PASS: expected a list of tests, or its JSON"],
  [{ ...published, instance_id: "" }, "line 1: instance_id: expected a string of one or more characters"],
  [{ ...published, files: { "a.js": 1 } }, "line 1: files: expected texts by path"],
  [{ instance_id: "a" }, "line 1:"],
])("invalid rows are refused with their place", (row, message) => {
  expect(() => parseInstances(JSON.stringify(row))).toThrow(InputError);
  expect(() => parseInstances(JSON.stringify(row))).toThrow(message);
});

test("an id occurs once", () => {
  const line = JSON.stringify(published);
  expect(() => parseInstances(`${line}\n${line}`)).toThrow('got "owner__name-12" twice');
  expect(() => parsePredictions('{"instance_id":"a","model_patch":""}\n{"instance_id":"a","model_patch":""}')).toThrow('"a" twice');
});

test("an instance without its files is not judged", async () => {
  const [row] = parseInstances(JSON.stringify(published));
  await expect(gradeAnswer(row!, "")).rejects.toThrow("files: expected the files of the snapshot");
});

test("predictions survive a round trip", () => {
  const predictions = [
    { instance_id: "a", model_name_or_path: "m1", model_patch: "--- a/é\n+++ b/é\n" },
    { instance_id: "b", model_name_or_path: "m1", model_patch: "" },
  ];
  const text = formatPredictions(predictions);
  expect(text.split("\n")).toHaveLength(3);
  expect(parsePredictions(text)).toEqual(predictions);
  expect(parsePredictions('[{"instance_id": "a", "model_name_or_path": "m1", "model_patch": null}]')).toEqual([
    { instance_id: "a", model_name_or_path: "m1", model_patch: "" },
  ]);
  expect(() => formatPredictions([{ instance_id: "", model_name_or_path: "m", model_patch: "" }])).toThrow("predictions[0]: instance_id");
});

import assert from "node:assert/strict";
import test from "node:test";
import { render } from "../src/render.js";

test("values are filled in", () => {
  assert.equal(render("Hello {{ name }}!", { name: "Ada" }), "Hello Ada!");
  assert.equal(render("{{ user.name }}{{ nothing }}", { user: { name: "Ada" } }), "Ada");
});

test("a condition with an alternative", () => {
  const template = "{{#if admin}}all{{else}}some{{/if}}";
  assert.equal(render(template, { admin: true }), "all");
  assert.equal(render(template, {}), "some");
});

test("a list", () => {
  assert.equal(render("{{#each names}}<{{ this }}>{{/each}}", { names: ["a", "b"] }), "<a><b>");
});

test("filters", () => {
  assert.equal(render("{{ name | upper }}", { name: "ada" }), "ADA");
  assert.equal(render("{{ count | plural:day:days }}", { count: 3 }), "3 days");
});

test("comments vanish", () => {
  assert.equal(render("a{{! not shown }}b", {}), "ab");
});

test("mistakes are reported with their line", () => {
  assert.throws(() => render("a\n{{#if x}}b", { x: 1 }), /\{\{#if\}\} is not closed/);
  assert.throws(() => render("{{ x | nothing }}", { x: 1 }), /line 1: unknown filter nothing/);
  assert.throws(() => render("{{#while x}}{{/while}}", {}), /unknown block while/);
});

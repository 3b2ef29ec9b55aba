import { escapeHtml, FILTERS } from "./filters.js";
import { parse } from "./parse.js";
import { Scope } from "./scope.js";
import { TemplateError } from "./tokenize.js";

/** Renders a template with data. Values are escaped for HTML, unless their tag begins with `&`. */
export function render(template, data) {
  return renderNodes(parse(template), new Scope(data));
}

function renderNodes(nodes, scope) {
  return nodes.map((node) => renderNode(node, scope)).join("");
}

function renderNode(node, scope) {
  switch (node.type) {
    case "text":
      return node.text;
    case "if":
      return renderNodes(isTrue(scope.lookup(node.path)) ? node.body : node.otherwise, scope);
    case "each":
      return renderEach(node, scope);
    default: {
      const text = toText(applyFilters(node, scope.lookup(node.path)));
      return node.raw ? text : escapeHtml(text);
    }
  }
}

function renderEach(node, scope) {
  const value = scope.lookup(node.path);
  const entries = Array.isArray(value) ? value.map((item, i) => [i, item]) : Object.entries(value ?? {});
  if (entries.length === 0) return renderNodes(node.otherwise, scope);
  return entries
    .map(([key, item], i) =>
      renderNodes(node.body, scope.child(item, { "@key": key, "@index": i, "@first": i === 0, "@last": i === entries.length - 1 })),
    )
    .join("");
}

function applyFilters({ filters, line }, value) {
  return filters.reduce((result, { name, args }) => {
    if (!Object.hasOwn(FILTERS, name)) throw new TemplateError(`unknown filter ${name}`, line);
    return FILTERS[name](result, ...args);
  }, value);
}

/** An empty list is false. */
function isTrue(value) {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function toText(value) {
  return value === undefined || value === null ? "" : String(value);
}

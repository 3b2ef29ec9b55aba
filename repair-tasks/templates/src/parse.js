import { TemplateError, tokenize } from "./tokenize.js";

/**
 * Parses a template into nodes: text, value (escaped or raw, with filters), if, each.
 *
 * Blocks: `{{#if path}} … {{else}} … {{/if}}`, `{{#each path}} … {{else}} … {{/each}}`.
 */
export function parse(template) {
  const root = { type: "root", body: [] };
  const stack = [{ node: root, body: root.body }];
  for (const token of tokenize(template)) {
    const top = stack.at(-1);
    switch (token.type) {
      case "comment":
        break;
      case "text":
        top.body.push(token);
        break;
      case "open": {
        const node = block(token);
        top.body.push(node);
        stack.push({ node, body: node.body });
        break;
      }
      case "close":
        if (top.node.type !== token.content) throw new TemplateError(`unexpected {{/${token.content}}}`, token.line);
        stack.pop();
        break;
      default:
        if (token.content === "else") {
          if (top.node.type === "root" || top.body === top.node.otherwise) throw new TemplateError("unexpected {{else}}", token.line);
          top.body = top.node.otherwise;
        } else {
          top.body.push(value(token));
        }
    }
  }
  const open = stack.at(-1).node;
  if (open.type !== "root") throw new TemplateError(`{{#${open.type}}} is not closed`, open.line);
  return root.body;
}

function block({ content, line }) {
  const [type, path, ...rest] = content.split(/\s+/);
  if (type !== "if" && type !== "each") throw new TemplateError(`unknown block ${type}`, line);
  if (!path || rest.length > 0) throw new TemplateError(`{{#${type}}} expects one path`, line);
  return { type, path, body: [], otherwise: [], line };
}

function value({ type, content, line }) {
  const [path, ...filters] = content.split("|").map((part) => part.trim());
  if (!/^[\w$@.]+$/.test(path)) throw new TemplateError(`invalid path ${path}`, line);
  return {
    type: "value",
    path,
    filters: filters.map((filter) => {
      const [name, ...args] = filter.split(":");
      return { name: name.trim(), args: args.map((arg) => arg.trim()) };
    }),
    raw: type === "raw",
    line,
  };
}

import { compareScores, compilePattern } from "./pattern.js";
import { parseQuery } from "./query.js";

/** Finds the handler of a request by method and path. */
export class Router {
  #routes = [];
  #middleware = [];

  /** Adds a route. A method of "*" fits every method. */
  add(method, pattern, handler) {
    const compiled = compilePattern(pattern);
    this.#routes.push({ method: method.toUpperCase(), handler, order: this.#routes.length, ...compiled });
    this.#routes.sort((a, b) => compareScores(a.score, b.score) || a.order - b.order);
    return this;
  }

  get(pattern, handler) {
    return this.add("GET", pattern, handler);
  }

  post(pattern, handler) {
    return this.add("POST", pattern, handler);
  }

  /** Adds a function `(request, next)` around all handlers, in the order of their addition. */
  use(middleware) {
    this.#middleware.push(middleware);
    return this;
  }

  /** Adds the routes of another router below a prefix. */
  mount(prefix, router) {
    for (const { method, pattern, handler } of router.routes) this.add(method, `${prefix.replace(/\/$/, "")}${pattern}`, handler);
    return this;
  }

  get routes() {
    return [...this.#routes].sort((a, b) => a.order - b.order);
  }

  /** Returns `{ handler, params }` of the most specific route, or `{ status, allowed }` if there is none. */
  find(method, path) {
    const wanted = method.toUpperCase();
    const allowed = new Set();
    for (const route of this.#routes) {
      const params = route.match(path);
      if (!params) continue;
      if (fitsMethod(route.method, wanted)) return { handler: route.handler, params };
      allowed.add(route.method);
    }
    return allowed.size > 0 ? { status: 405, allowed: [...allowed].sort() } : { status: 404, allowed: [] };
  }

  /** Answers a request `{ method, url }` with what its handler returns. */
  async handle({ method, url, ...others }) {
    const [path, query = ""] = url.split("#")[0].split(/\?(.*)/s);
    const found = this.find(method, path);
    if (!found.handler) {
      return { status: found.status, ...(found.status === 405 && { headers: { allow: found.allowed.join(", ") } }) };
    }
    const request = { ...others, method, path, query: parseQuery(query), params: found.params };
    const run = (i) => {
      const middleware = this.#middleware[i];
      return middleware ? middleware(request, () => run(i + 1)) : found.handler(request);
    };
    return await run(0);
  }
}

/** A HEAD request is answered by the route for GET. */
function fitsMethod(method, wanted) {
  return method === "*" || method === wanted || (wanted === "HEAD" && method === "GET");
}

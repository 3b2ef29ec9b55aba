import assert from "node:assert/strict";
import test from "node:test";
import { compilePattern } from "../src/pattern.js";
import { formatQuery, parseQuery } from "../src/query.js";
import { Router } from "../src/router.js";

test("parameters are read from the path", () => {
  assert.deepEqual(compilePattern("/users/:id/posts/:post").match("/users/7/posts/9"), { id: "7", post: "9" });
  assert.equal(compilePattern("/users/:id").match("/users"), undefined);
  assert.equal(compilePattern("/users").match("/users/7"), undefined);
});

test("the rest of a path", () => {
  assert.deepEqual(compilePattern("/files/*path").match("/files/a/b.txt"), { path: "a/b.txt" });
});

test("invalid patterns are refused", () => {
  for (const pattern of ["users", "/*rest/more", "/:a/:a", "/:1x"]) assert.throws(() => compilePattern(pattern), TypeError, pattern);
});

test("a query is read and written", () => {
  assert.deepEqual(parseQuery("?a=1&b=two"), { a: "1", b: "two" });
  assert.equal(formatQuery({ a: 1, b: ["x", "y"], c: undefined }), "a=1&b=x&b=y");
});

test("a request reaches its handler", async () => {
  const router = new Router().get("/users/:id", ({ params, query }) => `${params.id} ${query.full}`);
  assert.equal(await router.handle({ method: "get", url: "/users/7?full=yes" }), "7 yes");
});

test("an unknown path has status 404", async () => {
  assert.deepEqual(await new Router().handle({ method: "GET", url: "/x" }), { status: 404 });
});

test("middleware runs around the handler", async () => {
  const log = [];
  const router = new Router()
    .use(async (request, next) => {
      log.push("before");
      const response = await next();
      log.push("after");
      return response;
    })
    .get("/", () => (log.push("handler"), "ok"));
  assert.equal(await router.handle({ method: "GET", url: "/" }), "ok");
  assert.deepEqual(log, ["before", "handler", "after"]);
});

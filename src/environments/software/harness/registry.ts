import { describeError } from "./inspect.js";

/** What the harness tells the program outside of the sandbox. */
export interface Host {
  /** Takes the result of a test. Called once for each test that ran. */
  result(name: string, passed: boolean, message: string): void;
  /** Takes printed text. */
  print(text: string): void;
}

type Body = (context: TestContext) => unknown;
type Hook = () => unknown;

interface TestContext {
  readonly name: string;
  /** Runs a test within this test. Its name is added to the names of the outer ones. */
  test(name: string, ...rest: unknown[]): Promise<void>;
}

interface Hooks {
  readonly before: Hook[];
  readonly after: Hook[];
  readonly beforeEach: Hook[];
  readonly afterEach: Hook[];
}

interface Suite extends Hooks {
  readonly names: readonly string[];
  readonly outer: Suite | undefined;
  readonly items: (Suite | Test)[];
  /** Settles when an async function that describes the suite has ended. */
  ready: unknown;
}

interface Test {
  readonly names: readonly string[];
  readonly body: Body;
}

/** The functions of `node:test`, and those that run what was registered with them. */
export interface Registry {
  readonly functions: Readonly<Record<string, unknown>>;
  /** Runs all registered tests, one after the other, in the order of registration. */
  run(): Promise<void>;
  /** Fails the test that is running, because of an error that nothing caught or because nothing can settle its promise. */
  failCurrent(error: unknown): void;
}

/** Creates an empty registry of tests. */
export function createRegistry(host: Host): Registry {
  const root = createSuite([], undefined);
  /** The suite that is being described. */
  let described = root;
  let abandon: ((error: unknown) => void) | undefined;

  /** Waits for a value. `failCurrent` can end the wait. */
  function settled(value: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      abandon = reject;
      Promise.resolve(value).then(resolve, reject);
    });
  }

  /** Runs a test. Returns whether it passed. */
  async function runTest({ names, body }: Test, suite: Suite): Promise<boolean> {
    const chain = suites(suite);
    let failure: { error: unknown } | undefined;
    const attempt = async (work: Hook) => {
      try {
        await settled(work());
      } catch (error) {
        failure ??= { error };
      }
    };
    for (const { beforeEach } of chain) for (const hook of beforeEach) if (!failure) await attempt(hook);
    if (!failure) {
      let inner = Promise.resolve();
      const context: TestContext = {
        name: names.at(-1)!,
        test(name, ...rest) {
          const { skip, body } = parseArguments([name, ...rest]);
          if (!skip) {
            inner = inner.then(async () => {
              const passed = await runTest({ names: [...names, String(name)], body }, createSuite(names, undefined));
              if (!passed) failure ??= { error: new Error(`the inner test ${JSON.stringify(name)} failed`) };
            });
          }
          return inner;
        },
      };
      await attempt(() => body(context));
      await inner;
    }
    for (const { afterEach } of chain.reverse()) for (const hook of afterEach) await attempt(hook);
    host.result(names.join(" > "), failure === undefined, failure ? describeError(failure.error) : "");
    return failure === undefined;
  }

  async function runSuite(suite: Suite, outerFailure?: { error: unknown }): Promise<void> {
    let failure = outerFailure;
    const attempt = async (work: Hook) => {
      try {
        await settled(work());
      } catch (error) {
        failure ??= { error };
      }
    };
    await attempt(() => suite.ready);
    for (const hook of suite.before) if (!failure) await attempt(hook);
    // Tests may register more tests while they run.
    for (let i = 0; i < suite.items.length; i++) {
      const item = suite.items[i]!;
      if ("items" in item) await runSuite(item, failure);
      else if (failure) host.result(item.names.join(" > "), false, describeError(failure.error));
      else await runTest(item, suite);
    }
    if (outerFailure) return;
    const before = failure;
    for (const hook of suite.after) await attempt(hook);
    if (failure && failure !== before) host.result([...suite.names, "after"].join(" > "), false, describeError(failure.error));
  }

  function test(...args: unknown[]): Promise<void> {
    const { name, skip, body } = parseArguments(args);
    if (!skip) described.items.push({ names: [...described.names, name], body });
    return Promise.resolve();
  }

  function describe(...args: unknown[]): Promise<void> {
    const { name, skip, body } = parseArguments(args);
    if (skip) return Promise.resolve();
    const suite = createSuite([...described.names, name], described);
    described.items.push(suite);
    described = suite;
    try {
      suite.ready = (body as Hook)();
    } catch (error) {
      const failure = Promise.reject(error);
      failure.catch(() => {});
      suite.ready = failure;
    } finally {
      described = suite.outer!;
    }
    return Promise.resolve();
  }

  const skipping = Object.freeze(() => Promise.resolve());
  const variants = (register: (...args: unknown[]) => Promise<void>) =>
    Object.assign((...args: unknown[]) => register(...args), { skip: skipping, todo: skipping, only: Object.freeze(register) });
  const hook = (kind: keyof Hooks) => Object.freeze((work: Hook) => void described[kind].push(work));
  const hooks = { before: hook("before"), after: hook("after"), beforeEach: hook("beforeEach"), afterEach: hook("afterEach") };
  const suite = Object.freeze(variants(describe));
  const tests = variants(test);
  const functions = { test: tests, it: tests, describe: suite, suite, ...hooks };
  Object.freeze(Object.assign(tests, functions));
  return {
    functions,
    run: () => runSuite(root),
    failCurrent: (error) => abandon?.(error),
  };
}

function createSuite(names: readonly string[], outer: Suite | undefined): Suite {
  return { names, outer, items: [], ready: undefined, before: [], after: [], beforeEach: [], afterEach: [] };
}

/** A suite and those around it, from the outside in. */
function suites(suite: Suite): Suite[] {
  return suite.outer ? [...suites(suite.outer), suite] : [suite];
}

/** Reads `(name?, options?, function)`. A test that is skipped or to do does not run. */
function parseArguments(args: readonly unknown[]): { name: string; skip: boolean; body: Body } {
  const named = typeof args[0] === "string";
  const body = args.find((one): one is Body => typeof one === "function");
  const options = args.find((one): one is Record<string, unknown> => typeof one === "object" && one !== null);
  const skip = body === undefined || Boolean(options?.skip) || Boolean(options?.todo);
  return { name: named ? String(args[0]) : body?.name || "<anonymous>", skip, body: body ?? (() => {}) };
}

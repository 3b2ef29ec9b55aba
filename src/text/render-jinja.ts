// Renders chat templates. They are untrusted programs, so the interpreter limits their steps, time and memory.

import type { Template } from "@huggingface/jinja";

type Jinja = typeof import("@huggingface/jinja");

/** Maximum number of evaluations per rendering. MiniMax-M1's published template needs 27 per message. */
const MAX_STEPS = 1_000_000;

/** Time limit of one rendering, in milliseconds. */
const DEADLINE_MS = 10_000;

/** Maximum number of characters or items in one value. This is more than the characters of 10 million tokens. */
const MAX_CHARACTERS = 2 ** 27;
const MAX_ITEMS = 2 ** 20;

let latestTemplate: { readonly text: string; readonly template: Template } | undefined;

/**
 * Renders a Jinja template.
 *
 * @param names the variables of the template
 * @throws {Error} a template that fails or exceeds the limits
 */
export async function renderTemplate(text: string, names: Readonly<Record<string, unknown>>): Promise<string> {
  const jinja = await import("@huggingface/jinja");
  // The latest template is cached, because parsing takes several times as long as rendering.
  if (latestTemplate?.text !== text) latestTemplate = { text, template: new jinja.Template(text) };
  return evaluate(jinja, latestTemplate.template, names);
}

function evaluate({ Environment, Interpreter, Template }: Jinja, template: Template, names: Readonly<Record<string, unknown>>): string {
  let steps = 0;
  const end = performance.now() + DEADLINE_MS;
  class BoundedInterpreter extends Interpreter {
    override evaluate(...args: Parameters<InstanceType<Jinja["Interpreter"]>["evaluate"]>) {
      const result = super.evaluate(...args);
      const { value } = result as { value: unknown };
      const [length, most] =
        typeof value === "string" ? [value.length, MAX_CHARACTERS] : [Array.isArray(value) ? value.length : 0, MAX_ITEMS];
      if (length > most)
        stopRendering(`expected texts of at most ${MAX_CHARACTERS} characters and lists of ${MAX_ITEMS} items, got ${length}`);
      if (++steps > MAX_STEPS) stopRendering(`expected a template that ends within ${MAX_STEPS} steps, got a longer run`);
      if (performance.now() > end) stopRendering(`expected a template that ends within ${DEADLINE_MS / 1000} s, got a longer run`);
      return result;
    }
  }
  const environment = new Environment();
  const globals = {
    ...{ true: true, True: true, false: false, False: false, none: null, None: null },
    range: boundedRange,
    raise_exception: (message: string) => {
      throw new Error(message);
    },
    // This repeats the library's own implementation, which is not exported.
    strftime_now: (format: string) => new Template("{{ strftime_now(format) }}").render({ format }),
  };
  for (const [name, value] of Object.entries({ ...globals, ...names })) environment.set(name, value);
  return String(new BoundedInterpreter(environment).run(template.parsed).value);
}

function stopRendering(reason: string): never {
  throw new Error(`${reason} (pass another template)`);
}

/** Python's `range`, limited to the allowed length of lists. */
function boundedRange(first: number, end?: number, step = 1): number[] {
  const [start, stop] = end === undefined ? [0, first] : [first, end];
  if (step === 0) throw new Error("range: step: expected a number other than 0, got 0");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= MAX_ITEMS)) throw new Error(`range: expected at most ${MAX_ITEMS} items, got ${length}`);
  return Array.from({ length }, (_, i) => start + i * step);
}

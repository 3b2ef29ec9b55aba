import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { expectArgument, parseOptions, signal as signalOption } from "../../base/options.js";
import { type DialogueDomain, expectDomain, World } from "./domain.js";
import { callOf, type DialogueRecord, goldWorld, type PartScores, scoreParts } from "./reward.js";
import { checkTask, rewardBasis, type Tau2Task } from "./tau2-tasks.js";

/** A reason not to use a task. */
export interface TaskProblem {
  /** Id of the task. */
  readonly id: string;
  readonly problem: string;
}

const schema = v.strictObject({ signal: v.optional(signalOption) });

/**
 * Checks tasks before use: the actions of a task must earn 1, and doing nothing must earn 0. NL_ASSERTION, which needs a judge, counts as 1
 * for the actions; doing nothing then is not checked unless another part of the reward decides it.
 *
 * @returns the tasks that pass, and the problems of the others
 * @throws {InputError} an invalid domain, or values that are not tasks
 */
export async function checkTau2Tasks<Database extends object, UserDatabase extends object = object>(
  domain: DialogueDomain<Database, UserDatabase>,
  tasks: readonly Tau2Task[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<{ readonly tasks: Tau2Task[]; readonly problems: TaskProblem[] }> {
  const checked = expectDomain("checkTau2Tasks: domain", domain);
  expectArgument("checkTau2Tasks: tasks", Array.isArray(tasks), "an array of tasks", tasks);
  const { signal = new AbortController().signal } = parseOptions(schema, options, "checkTau2Tasks");
  const passed: Tau2Task[] = [];
  const problems: TaskProblem[] = [];
  for (const [i, row] of tasks.entries()) {
    signal.throwIfAborted();
    const task = checkTask(row, `checkTau2Tasks: tasks[${i}]`);
    const found = await problemsOf(checked, task, signal);
    if (found.length === 0) passed.push(task);
    problems.push(...found.map((problem) => ({ id: task.id, problem })));
  }
  return { tasks: passed, problems };
}

async function problemsOf(domain: DialogueDomain, task: Tau2Task, signal: AbortSignal): Promise<string[]> {
  try {
    const { actions, communicate_info: info } = task.evaluation_criteria ?? {};
    const problems: string[] = [];
    const basis = rewardBasis(task);
    for (const text of basis.includes("COMMUNICATE") ? (info ?? []) : []) {
      if (text.includes(","))
        problems.push(`communicate_info: expected texts without commas, which are removed from messages, got ${text}`);
    }
    const gold = await goldWorld(domain, task, signal, ({ name }, message) => problems.push(`the action ${name} fails: ${message}`));
    const goldCalls = (actions ?? []).map((action) => ({ requestor: action.requestor ?? ("assistant" as const), ...callOf(action) }));
    const said = (info ?? []).map((content) => ({ role: "assistant" as const, content }));
    const score = (world: World, record: DialogueRecord) => scoreParts(domain, task, world, record, undefined, signal);
    const ofGold = await score(gold, { dialogue: said, calls: goldCalls });
    const ofNothing = await score(await World.open(domain, task, signal), { dialogue: [], calls: [] });
    const failed = basis.filter((part) => ofGold[part] === 0);
    if (failed.length > 0 && problems.length === 0) problems.push(`the actions earn 0 (${failed.join(", ")})`);
    const needsJudge = basis.includes("NL_ASSERTION") && ofNothing.NL_ASSERTION === null;
    if (!needsJudge && product(basis, ofNothing) === 1) problems.push("doing nothing earns 1");
    return problems;
  } catch (error) {
    if (error instanceof InputError) return [error.message];
    throw error;
  }
}

function product(basis: readonly (keyof PartScores)[], parts: PartScores): number {
  return basis.reduce((value, part) => value * (parts[part] ?? 1), 1);
}

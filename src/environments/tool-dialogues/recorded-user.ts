import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { checkTrace, type Trace } from "../trace.js";
import type { UserSource } from "./users.js";

const callsSchema = v.array(v.array(v.object({ name: v.string(), arguments: v.record(v.string(), v.unknown()) })));

/**
 * Creates a user that repeats what the user of a trace said and called. With it, `reverify` judges an episode again whose user was a
 * model: `reverify(dialogueEnvironment(domain, { user: recordedUser(trace) }), trace)`.
 *
 * @throws {InputError} a value that is not a trace of a dialogue
 */
export function recordedUser(trace: Trace): UserSource {
  checkTrace(trace, "recordedUser: trace");
  const said = trace.nodes
    .filter(({ message, sampled }) => message.role === "user" && !sampled)
    .map(({ message }) => message.content ?? "");
  const { success, output: calls } = v.safeParse(callsSchema, trace.info.user_calls ?? []);
  if (!success) throw new InputError("recordedUser: trace: info.user_calls: expected a list of calls for each message of the user");
  return ({ history, call }) => {
    const before = history.filter(({ role, tool_calls }) => role === "user" && !tool_calls).length;
    let replies = 0;
    return {
      async reply(_, options) {
        const text = said[before + replies];
        if (text === undefined) throw new InputError(`recordedUser: trace: expected message ${replies + 1} of the user, got none`);
        for (const one of calls[replies++] ?? []) await call(one, options);
        return text;
      },
    };
  };
}

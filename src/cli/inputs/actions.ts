// Commands whose first argument is an action, such as `tasks eval`. Each action has options of its own.

import { FORMATS, formatOf } from "../figures/figure.js";
import { requireFigurePackages } from "../figures/optional-packages.js";
import { UsageError } from "../options.js";

type Given = Readonly<Record<string, unknown>>;

/** Returns the action. @throws {UsageError} an unknown one */
export function actionOf<Action extends string>(command: string, actions: Readonly<Record<Action, unknown>>, args: Given): Action {
  const names = Object.keys(actions) as Action[];
  const action = names.find((one) => one === args.action);
  if (!action) throw new UsageError(`${command}: expected ${names.join(", ")}, got ${JSON.stringify(args.action)}`);
  return action;
}

/**
 * Checks that only options of the action are given, and that its figure can be drawn.
 *
 * @throws {UsageError} an option of another action, or a figure of an unknown format
 * @throws {LightningError} the packages that draw are missing
 */
export function checkActionOptions<Action extends string>(
  command: string,
  actions: Readonly<Record<Action, readonly string[]>>,
  action: Action,
  args: Given,
): void {
  const names = Object.keys(actions) as Action[];
  const other = names.flatMap((one) => actions[one]).find((option) => args[option] !== undefined && !actions[action].includes(option));
  if (other) {
    const having = names.filter((one) => actions[one].includes(other));
    throw new UsageError(`--${other}: expected with ${command} ${having.join(" or ")}, got ${command} ${action}`);
  }
  const { figure } = args;
  if (args.dark && figure === undefined) throw new UsageError("--dark: expected with --figure");
  if (typeof figure !== "string") return;
  const format = formatOf(figure);
  if (!format) {
    const expected = FORMATS.map((one) => `.${one}`).join(", ");
    throw new UsageError(`--figure: expected a file that ends in ${expected}, got ${JSON.stringify(figure)}`);
  }
  if (format !== "json") requireFigurePackages("--figure", format);
}

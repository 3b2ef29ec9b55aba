import type { Tau2Task } from "../tau2-tasks.js";
import { appointmentTasks } from "./appointment-tasks.js";
import { serviceTasks } from "./service-tasks.js";
import { taskOf } from "./task-form.js";

/** The tasks of the workshop: what the user wants, the solution, and a script for the user. */
export const bikeWorkshopTasks: readonly Tau2Task[] = /* @__PURE__ */ [...appointmentTasks, ...serviceTasks].map(taskOf);

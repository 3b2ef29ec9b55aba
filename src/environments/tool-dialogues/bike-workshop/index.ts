import type { DialogueDomain } from "../domain.js";
import { database, userDatabase, type WorkshopDatabase, type WorkshopUserDatabase } from "./database.js";
import { policy } from "./policy.js";
import { assertions, tools, userTools } from "./tools.js";

/**
 * The desk of a bicycle workshop: bookings, cancellations, quotes, and customers who want what the rules forbid. The assistant logs the
 * result of every contact in the database, so that a message that contains every possible answer earns nothing.
 */
export const bikeWorkshop = {
  name: "bike-workshop",
  policy,
  tools,
  userTools,
  assertions,
  database,
  userDatabase,
} satisfies DialogueDomain<WorkshopDatabase, WorkshopUserDatabase> as unknown as DialogueDomain;

export { bikeWorkshopTasks } from "./tasks.js";

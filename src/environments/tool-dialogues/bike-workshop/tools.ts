import { ToolError, type ToolOf } from "../../tools.js";
import type { Databases } from "../domain.js";
import {
  type Bike,
  type Customer,
  type Job,
  PRICES,
  SERVICES,
  type Service,
  type Slot,
  type WorkshopDatabase,
  type WorkshopUserDatabase,
} from "./database.js";

type State = Databases<WorkshopDatabase, WorkshopUserDatabase>;

const text = { type: "string" };
const service = { type: "string", enum: SERVICES };

/** The schema of arguments that are all needed, apart from those listed. */
function parameters(properties: Readonly<Record<string, object>>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required, additionalProperties: false };
}

/** The entry of a table. @throws {ToolError} there is none */
function entry<Value>(table: Readonly<Record<string, Value>>, kind: string, id: string): Value {
  if (!Object.hasOwn(table, id)) throw new ToolError(`there is no ${kind} ${id}`);
  return table[id]!;
}

/** Takes a free slot for a job. */
function takeSlot({ slots }: WorkshopDatabase, slotId: string, jobId: string, wanted: Service): Slot {
  const slot = entry(slots, "slot", slotId);
  if (slot.job_id !== null) throw new ToolError(`slot ${slotId} is taken`);
  if (!slot.services.includes(wanted)) throw new ToolError(`slot ${slotId} is not for ${wanted}`);
  slot.job_id = jobId;
  return slot;
}

function jobWith(database: WorkshopDatabase, jobId: string, status: Job["status"]): Job {
  const job = entry(database.jobs, "job", jobId);
  if (job.status !== status) throw new ToolError(`job ${jobId} is ${job.status}, not ${status}`);
  return job;
}

/** A job as the tools return it: with its bike and appointment. */
function described(database: WorkshopDatabase, job: Job): object {
  const { date, time } = entry(database.slots, "slot", job.slot_id);
  const { model, customer_id } = entry(database.bikes, "bike", job.bike_id);
  return { ...job, bike: model, customer_id, date, time };
}

const withCustomer = (bikes: Readonly<Record<string, Bike>>, jobs: Readonly<Record<string, Job>>, customer: Customer): object => {
  const own = Object.values(bikes).filter(({ customer_id }) => customer_id === customer.customer_id);
  return {
    ...customer,
    bikes: own.map((bike) => ({
      ...bike,
      jobs: Object.values(jobs).flatMap(({ bike_id, job_id, status }) => (bike_id === bike.bike_id ? [{ job_id, status }] : [])),
    })),
  };
};

/** The tools of the desk. They check whether a call is possible; whether it is allowed is for the assistant to know. */
export const tools: readonly ToolOf<State>[] = [
  {
    name: "find_customer",
    description: "Finds a customer by full name and postcode. Returns the bikes and the ids of their jobs",
    parameters: parameters({ name: text, postcode: text }),
    run({ database: { customers, bikes, jobs } }, { name, postcode }: { name: string; postcode: string }) {
      const wanted = name.trim().toLowerCase();
      const found = Object.values(customers).find((one) => one.name.toLowerCase() === wanted && one.postcode === postcode.trim());
      if (!found) throw new ToolError("no customer has this name and postcode");
      return withCustomer(bikes, jobs, found);
    },
  },
  {
    name: "get_job",
    description: "Returns a job with its appointment, price and quote",
    parameters: parameters({ job_id: text }),
    run: ({ database }, { job_id }: { job_id: string }) => described(database, entry(database.jobs, "job", job_id)),
  },
  {
    name: "find_slots",
    description: "Lists the free appointments for a service, the earliest first",
    parameters: parameters({ service, from_date: { type: "string", description: "such as 2026-03-11; today if it is missing" } }, [
      "from_date",
    ]),
    run({ database }, { service, from_date = "" }: { service: Service; from_date?: string }) {
      return Object.values(database.slots)
        .filter(({ job_id, services, date }) => job_id === null && services.includes(service) && date >= from_date)
        .sort((a, b) => (`${a.date} ${a.time}` < `${b.date} ${b.time}` ? -1 : 1))
        .map(({ slot_id, date, time }) => ({ slot_id, date, time }));
    },
  },
  {
    name: "book_job",
    description: "Books a service for a bike in a free slot. Returns the new job",
    parameters: parameters({ bike_id: text, service, slot_id: text }),
    run({ database }, { bike_id, service, slot_id }: { bike_id: string; service: Service; slot_id: string }) {
      entry(database.bikes, "bike", bike_id);
      const job_id = `J${501 + Object.keys(database.jobs).length}`;
      takeSlot(database, slot_id, job_id, service);
      const job: Job = {
        job_id,
        bike_id,
        service,
        slot_id,
        status: "booked",
        price: PRICES[service],
        quote: null,
        moved: false,
        deposit_paid: false,
        cancellation_fee: null,
        ready_on: null,
      };
      database.jobs[job_id] = job;
      return described(database, job);
    },
  },
  {
    name: "move_job",
    description: "Moves a booked job to another free slot",
    parameters: parameters({ job_id: text, slot_id: text }),
    run({ database }, { job_id, slot_id }: { job_id: string; slot_id: string }) {
      const job = jobWith(database, job_id, "booked");
      takeSlot(database, slot_id, job_id, job.service);
      entry(database.slots, "slot", job.slot_id).job_id = null;
      job.slot_id = slot_id;
      job.moved = true;
      return described(database, job);
    },
  },
  {
    name: "cancel_job",
    description: "Cancels a booked job, with a fee of 0 or more",
    parameters: parameters({ job_id: text, fee: { type: "number", minimum: 0 } }),
    run({ database }, { job_id, fee }: { job_id: string; fee: number }) {
      const job = jobWith(database, job_id, "booked");
      entry(database.slots, "slot", job.slot_id).job_id = null;
      job.status = "cancelled";
      job.cancellation_fee = fee;
      return described(database, job);
    },
  },
  {
    name: "answer_quote",
    description: "Records the customer's answer to a quote. The work then begins",
    parameters: parameters({ job_id: text, accepted: { type: "boolean" } }),
    run({ database }, { job_id, accepted }: { job_id: string; accepted: boolean }) {
      const job = jobWith(database, job_id, "quoted");
      job.quote = { ...job.quote!, answer: accepted ? "accepted" : "declined" };
      job.status = "in work";
      return described(database, job);
    },
  },
  {
    name: "log_contact",
    description: "Logs the result of the contact. customer_id is null if the customer was not found",
    parameters: parameters({
      customer_id: { type: ["string", "null"] },
      outcome: { type: "string", enum: ["answered", "changed", "refused", "handed over"] },
      detail: text,
    }),
    run({ database }, { customer_id, outcome, detail }: { customer_id: string | null; outcome: string; detail: string }) {
      if (customer_id !== null) entry(database.customers, "customer", customer_id);
      database.contacts.push({ customer_id, outcome, detail: detail.trim() });
      return "logged";
    },
  },
];

/** The tools of the customer. */
export const userTools: readonly ToolOf<State>[] = [
  {
    name: "look_at_frame",
    description: "Reads the frame number of the bike in front of you",
    parameters: parameters({}),
    run({ userDatabase: { frame_number: number } }) {
      if (number === null) throw new ToolError("there is no bike");
      return number;
    },
  },
  {
    name: "pay_deposit",
    description: "Pays the deposit for a job with the app",
    parameters: parameters({ job_id: text }),
    run({ database, userDatabase }, { job_id }: { job_id: string }) {
      const job = jobWith(database, job_id, "booked");
      if (job.deposit_paid) throw new ToolError(`the deposit for job ${job_id} is paid already`);
      job.deposit_paid = true;
      userDatabase.deposits.push(job_id);
      return "paid 20.00";
    },
  },
];

/** Conditions on the records, for `env_assertions`. */
export const assertions = {
  assert_job_status: ({ database }: State, { job_id, expected_status }: { job_id: string; expected_status: string }): boolean =>
    entry(database.jobs, "job", job_id).status === expected_status,
  assert_deposit_paid: ({ database, userDatabase }: State, { job_id }: { job_id: string }): boolean =>
    entry(database.jobs, "job", job_id).deposit_paid && userDatabase.deposits.includes(job_id),
};

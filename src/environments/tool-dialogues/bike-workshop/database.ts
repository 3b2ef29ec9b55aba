// The records of the workshop at the beginning of each task.

/** A service of the workshop. */
export type Service = "check" | "brakes" | "wheel" | "overhaul";

/** Prices without repairs that turn out to be needed. */
export const PRICES: Readonly<Record<Service, number>> = { check: 45, brakes: 60, wheel: 75, overhaul: 160 };
export const SERVICES = Object.keys(PRICES) as Service[];

export interface Customer {
  readonly customer_id: string;
  readonly name: string;
  readonly postcode: string;
  readonly member: boolean;
}

export interface Bike {
  readonly bike_id: string;
  readonly customer_id: string;
  readonly model: string;
  readonly frame_number: string;
}

export interface Job {
  readonly job_id: string;
  readonly bike_id: string;
  readonly service: Service;
  slot_id: string;
  status: "booked" | "in work" | "quoted" | "ready" | "collected" | "cancelled";
  readonly price: number;
  /** A repair that turned out to be needed. */
  quote: { readonly work: string; readonly amount: number; answer: "accepted" | "declined" | null } | null;
  moved: boolean;
  deposit_paid: boolean;
  cancellation_fee: number | null;
  readonly ready_on: string | null;
}

export interface Slot {
  readonly slot_id: string;
  readonly date: string;
  readonly time: string;
  readonly services: readonly Service[];
  job_id: string | null;
}

export interface Contact {
  readonly customer_id: string | null;
  readonly outcome: string;
  readonly detail: string;
}

/** The database of the desk. */
export interface WorkshopDatabase {
  readonly customers: Record<string, Customer>;
  readonly bikes: Record<string, Bike>;
  readonly jobs: Record<string, Job>;
  readonly slots: Record<string, Slot>;
  readonly contacts: Contact[];
}

/** What the customer has at hand. */
export interface WorkshopUserDatabase {
  /** Frame number of the bike in front of the customer. */
  readonly frame_number: string | null;
  /** Deposits that the customer paid with the app, by job. */
  readonly deposits: string[];
}

const customers: readonly Customer[] = [
  { customer_id: "C11", name: "Ada Birch", postcode: "4021", member: true },
  { customer_id: "C12", name: "Bruno Keller", postcode: "4058", member: false },
  { customer_id: "C13", name: "Chloe Martin", postcode: "4102", member: false },
  { customer_id: "C14", name: "Dev Anand", postcode: "4021", member: true },
  { customer_id: "C15", name: "Elif Demir", postcode: "4123", member: false },
  { customer_id: "C16", name: "Frank Osei", postcode: "4058", member: false },
  { customer_id: "C17", name: "Grace Lin", postcode: "4102", member: true },
  { customer_id: "C18", name: "Hugo Stein", postcode: "4127", member: false },
];

const bikes: readonly Bike[] = [
  { bike_id: "B11", customer_id: "C11", model: "city bike", frame_number: "FK-1108" },
  { bike_id: "B12", customer_id: "C11", model: "cargo bike", frame_number: "FK-2290" },
  { bike_id: "B13", customer_id: "C12", model: "racing bike", frame_number: "RX-0417" },
  { bike_id: "B14", customer_id: "C13", model: "touring bike", frame_number: "TQ-5521" },
  { bike_id: "B15", customer_id: "C14", model: "mountain bike", frame_number: "MN-3066" },
  { bike_id: "B16", customer_id: "C15", model: "city bike", frame_number: "FK-4815" },
  { bike_id: "B17", customer_id: "C15", model: "city bike", frame_number: "FK-7733" },
  { bike_id: "B18", customer_id: "C16", model: "folding bike", frame_number: "ZP-0902" },
  { bike_id: "B19", customer_id: "C17", model: "touring bike", frame_number: "TQ-6134" },
  { bike_id: "B20", customer_id: "C18", model: "city bike", frame_number: "FK-8450" },
  { bike_id: "B21", customer_id: "C16", model: "racing bike", frame_number: "RX-1379" },
  { bike_id: "B22", customer_id: "C17", model: "mountain bike", frame_number: "MN-5218" },
  { bike_id: "B23", customer_id: "C12", model: "touring bike", frame_number: "TQ-7705" },
];

const NEW_JOB = { quote: null, moved: false, deposit_paid: false, cancellation_fee: null, ready_on: null } as const;

const jobs: readonly Job[] = [
  { ...NEW_JOB, job_id: "J501", bike_id: "B11", service: "check", slot_id: "S02", status: "booked", price: 45 },
  { ...NEW_JOB, job_id: "J502", bike_id: "B13", service: "wheel", slot_id: "S20", status: "in work", price: 75, ready_on: "2026-03-11" },
  {
    ...NEW_JOB,
    job_id: "J503",
    bike_id: "B14",
    service: "check",
    slot_id: "S21",
    status: "quoted",
    price: 45,
    quote: { work: "new bottom bracket", amount: 84.5, answer: null },
  },
  { ...NEW_JOB, job_id: "J504", bike_id: "B15", service: "overhaul", slot_id: "S04", status: "booked", price: 160, deposit_paid: true },
  { ...NEW_JOB, job_id: "J505", bike_id: "B16", service: "brakes", slot_id: "S07", status: "booked", price: 60, moved: true },
  { ...NEW_JOB, job_id: "J506", bike_id: "B18", service: "brakes", slot_id: "S11", status: "booked", price: 60 },
  {
    ...NEW_JOB,
    job_id: "J507",
    bike_id: "B19",
    service: "wheel",
    slot_id: "S22",
    status: "ready",
    price: 75,
    quote: { work: "new spokes", amount: 21, answer: "accepted" },
    ready_on: "2026-03-06",
  },
  { ...NEW_JOB, job_id: "J508", bike_id: "B20", service: "check", slot_id: "S12", status: "booked", price: 45 },
  {
    ...NEW_JOB,
    job_id: "J509",
    bike_id: "B17",
    service: "overhaul",
    slot_id: "S23",
    status: "quoted",
    price: 160,
    quote: { work: "new fork and headset", amount: 342, answer: null },
    deposit_paid: true,
  },
  { ...NEW_JOB, job_id: "J510", bike_id: "B12", service: "brakes", slot_id: "S24", status: "collected", price: 60, ready_on: "2026-02-20" },
  { ...NEW_JOB, job_id: "J511", bike_id: "B23", service: "check", slot_id: "S13", status: "booked", price: 45 },
];

const slots: readonly Slot[] = [
  { slot_id: "S01", date: "2026-03-09", time: "15:00", services: ["check"], job_id: null },
  { slot_id: "S02", date: "2026-03-10", time: "09:00", services: ["check", "brakes"], job_id: "J501" },
  { slot_id: "S03", date: "2026-03-10", time: "11:00", services: ["check", "brakes", "wheel"], job_id: null },
  { slot_id: "S04", date: "2026-03-11", time: "09:00", services: ["overhaul"], job_id: "J504" },
  { slot_id: "S05", date: "2026-03-11", time: "14:00", services: ["brakes", "wheel"], job_id: null },
  { slot_id: "S06", date: "2026-03-12", time: "09:00", services: ["overhaul"], job_id: null },
  { slot_id: "S07", date: "2026-03-12", time: "13:00", services: ["check", "brakes", "wheel"], job_id: "J505" },
  { slot_id: "S08", date: "2026-03-13", time: "09:00", services: ["check", "brakes", "wheel"], job_id: null },
  { slot_id: "S09", date: "2026-03-13", time: "10:00", services: ["overhaul"], job_id: null },
  { slot_id: "S10", date: "2026-03-16", time: "09:00", services: ["check", "brakes", "wheel", "overhaul"], job_id: null },
  { slot_id: "S11", date: "2026-03-09", time: "16:30", services: ["brakes"], job_id: "J506" },
  { slot_id: "S12", date: "2026-03-17", time: "09:00", services: ["check", "brakes"], job_id: "J508" },
  { slot_id: "S13", date: "2026-03-11", time: "10:00", services: ["check", "brakes"], job_id: "J511" },
  { slot_id: "S20", date: "2026-03-05", time: "09:00", services: ["wheel"], job_id: "J502" },
  { slot_id: "S21", date: "2026-03-06", time: "09:00", services: ["check"], job_id: "J503" },
  { slot_id: "S22", date: "2026-03-04", time: "09:00", services: ["wheel"], job_id: "J507" },
  { slot_id: "S23", date: "2026-03-06", time: "10:00", services: ["overhaul"], job_id: "J509" },
  { slot_id: "S24", date: "2026-02-19", time: "09:00", services: ["brakes"], job_id: "J510" },
];

/** Records by the values of a field. */
function recordBy<Item>(items: readonly Item[], idOf: (item: Item) => string): Record<string, Item> {
  return Object.fromEntries(items.map((item) => [idOf(item), item]));
}

export const database: WorkshopDatabase = {
  customers: recordBy(customers, ({ customer_id }) => customer_id),
  bikes: recordBy(bikes, ({ bike_id }) => bike_id),
  jobs: recordBy(jobs, ({ job_id }) => job_id),
  slots: recordBy(slots, ({ slot_id }) => slot_id),
  contacts: [],
};

export const userDatabase: WorkshopUserDatabase = { frame_number: null, deposits: [] };

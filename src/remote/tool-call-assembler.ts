import { isObjectJson } from "../text/messages.js";

/** A streamed part of a tool call, in OpenAI's format or with name and arguments beside the index. */
export interface ToolCallDelta {
  readonly index?: number | null | undefined;
  readonly id?: string | number | null | undefined;
  readonly function?: FunctionDelta | null | undefined;
}

interface FunctionDelta {
  readonly name?: string | null | undefined;
  /** A part of the JSON text, all of it, or the object itself. */
  readonly arguments?: unknown;
}

/**
 * Assembles streamed tool calls. OpenAI streams the name once, and then the arguments in parts, all at one index. Other servers differ.
 * These rules cover all of them:
 *
 * - A delta belongs to the call with its id. Without such a call, it belongs to the latest call at its index, and otherwise to the latest
 *   call.
 * - A delta with a name starts another call in four cases: its id differs (unless the arguments at its index are incomplete); it has
 *   neither id nor index; the call has arguments and another name; or it has other arguments for a call whose arguments are complete. A
 *   delta without a name continues its call, whatever its id.
 * - A name that repeats or extends the known name replaces it. Any other name before the arguments is appended to the known name, unless
 *   both are names of tools.
 * - Arguments are appended. A repeated complete object counts once. If every delta repeats and extends the previous delta, the last one
 *   counts.
 */
export class ToolCallAssembler {
  private readonly calls: PartialToolCall[] = [];

  /** @param tools names of the tools that were offered */
  constructor(private readonly tools: ReadonlySet<string>) {}

  /** Adds the deltas of one event. */
  push(deltas: readonly ToolCallDelta[]): void {
    for (const [place, delta] of deltas.entries()) {
      const known = this.callOf(delta, deltas.length > 1 ? place : undefined);
      const call = known && !this.beginsAnother(known, delta) ? known : new PartialToolCall(delta, place);
      if (call !== known) this.calls.push(call);
      call.push(delta);
    }
  }

  /** Returns the calls in the order of their indices or, without indices, in the order in which they started. */
  toolCalls(): readonly { readonly name: string; readonly arguments: string }[] {
    return [...this.calls].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
  }

  /** Returns the call that a delta belongs to. @param place index of the delta among the deltas of one event */
  private callOf(delta: ToolCallDelta, place: number | undefined): PartialToolCall | undefined {
    const { calls } = this;
    const id = idOf(delta);
    const identified = id === undefined ? undefined : calls.findLast((call) => call.id === id);
    if (identified) return identified;
    const index = delta.index ?? undefined;
    const found =
      index !== undefined
        ? calls.findLast((call) => call.index === index)
        : place !== undefined
          ? calls.findLast((call) => call.index === undefined && call.place === place)
          : calls.at(-1);
    // Some servers number only the first delta, or all except the first.
    return found ?? (nameOf(delta) ? undefined : calls.at(-1));
  }

  private beginsAnother(call: PartialToolCall, delta: ToolCallDelta): boolean {
    const [id, name, given] = [idOf(delta), nameOf(delta), argumentsOf(delta).trim()];
    if (!name) return false;
    // Some servers give every delta a new id. If the arguments are incomplete, the delta continues them.
    const continues = (delta.index ?? undefined) !== undefined && name === call.name && call.isContinuedBy(given);
    if (id !== undefined && call.id !== undefined && id !== call.id) return !continues;
    const sameId = id !== undefined && id === call.id;
    const samePlace = sameId || (delta.index ?? undefined) !== undefined;
    if (call.name === "") return false;
    if (name !== call.name) return !call.isEmpty || !samePlace || (this.tools.has(call.name) && this.tools.has(name));
    if (call.isEmpty) return !samePlace;
    if (!given.startsWith("{") || !call.isComplete) return false;
    if (call.repeats(given)) return !samePlace;
    return !(sameId && call.isPlaceholder);
  }
}

class PartialToolCall {
  readonly id: string | undefined;
  readonly index: number | undefined;
  name = "";
  private text = "";
  /** The last delta, as long as every delta repeats and extends the previous one. */
  private growing: string | undefined = "";

  constructor(
    first: ToolCallDelta,
    /** Index among the deltas of the event that started the call. */
    readonly place: number,
  ) {
    this.id = idOf(first);
    this.index = first.index ?? undefined;
  }

  push(delta: ToolCallDelta): void {
    const name = nameOf(delta);
    if (name) this.name = name.startsWith(this.name) ? name : this.name + name;
    const given = argumentsOf(delta);
    if (given === "") return;
    const isWhole = typeof fieldsOf(delta).arguments !== "string";
    if (isWhole || (given.trimStart().startsWith("{") && this.isPlaceholder)) this.text = given;
    else if (!this.repeats(given) || !this.isComplete) this.text += given;
    this.growing = this.growing !== undefined && given.startsWith(this.growing) ? given : undefined;
  }

  get arguments(): string {
    const { text, growing } = this;
    return !isObjectJson(text) && growing !== undefined && isObjectJson(growing) ? growing : text;
  }

  get isEmpty(): boolean {
    return this.text.trim() === "";
  }

  get isComplete(): boolean {
    return isObjectJson(this.text);
  }

  /** Whether the arguments are an empty object, which some servers send before the actual arguments. */
  get isPlaceholder(): boolean {
    return this.text.trim() === "{}";
  }

  /** Whether the arguments are incomplete, or start with this delta. */
  isContinuedBy(given: string): boolean {
    return this.isEmpty ? given !== "" && !isObjectJson(given) : !isObjectJson(this.arguments);
  }

  repeats(given: string): boolean {
    return this.text.trim() === given.trim();
  }
}

const fieldsOf = (delta: ToolCallDelta): FunctionDelta => delta.function ?? (delta as FunctionDelta);

function nameOf(delta: ToolCallDelta): string {
  const { name } = fieldsOf(delta);
  return typeof name === "string" ? name : "";
}

const idOf = ({ id }: ToolCallDelta): string | undefined => (id === undefined || id === null || id === "" ? undefined : `${id}`);

function argumentsOf(delta: ToolCallDelta): string {
  const given = fieldsOf(delta).arguments ?? "";
  return typeof given === "string" ? given : JSON.stringify(given);
}

// Calls of tools from the pieces in which servers stream them.

import { isObjectJson } from "../text/messages.js";

/** A piece of a call as servers send it: in OpenAI's form, or with the name and the arguments beside the index. */
export interface ToolCallDelta {
  readonly index?: number | null | undefined;
  readonly id?: string | number | null | undefined;
  readonly function?: FunctionDelta | null | undefined;
}

interface FunctionDelta {
  readonly name?: string | null | undefined;
  /** A part of the JSON, all of it, or the object itself. */
  readonly arguments?: unknown;
}

/**
 * Puts calls together as OpenAI streams them (the name once, then the arguments in pieces under one index), and as other servers do:
 *
 * - A piece belongs to the call with its id, else to the latest one at its index, else to the latest one.
 * - A piece with a name begins another call if its id is another (unless the arguments at its index are still open), if it has neither id nor index, if the call has arguments and another
 *   name, or if it brings other arguments to a call whose arguments are complete. Without a name it always goes on, whatever its id.
 * - A name that comes again, whole or grown, is set and not appended. Any other name before the arguments is a further piece of it,
 *   unless both are names of tools.
 * - Arguments are appended. A complete object that comes again is one, and if every piece repeats the one before it, the last counts.
 */
export class ToolCallAssembler {
  private readonly calls: PartialToolCall[] = [];

  /** @param tools names of the tools that were offered */
  constructor(private readonly tools: ReadonlySet<string>) {}

  /** The pieces of one event. */
  push(pieces: readonly ToolCallDelta[]): void {
    for (const [place, piece] of pieces.entries()) {
      const known = this.callOf(piece, pieces.length > 1 ? place : undefined);
      const call = known && !this.beginsAnother(known, piece) ? known : new PartialToolCall(piece, place);
      if (call !== known) this.calls.push(call);
      call.push(piece);
    }
  }

  /** The calls, in the order of their indices, else in that in which they began. */
  toolCalls(): readonly { readonly name: string; readonly arguments: string }[] {
    return [...this.calls].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
  }

  /** @param place of the piece among several of one event */
  private callOf(piece: ToolCallDelta, place: number | undefined): PartialToolCall | undefined {
    const { calls } = this;
    const id = idOf(piece);
    const identified = id === undefined ? undefined : calls.findLast((call) => call.id === id);
    if (identified) return identified;
    const index = piece.index ?? undefined;
    const found =
      index !== undefined
        ? calls.findLast((call) => call.index === index)
        : place !== undefined
          ? calls.findLast((call) => call.index === undefined && call.place === place)
          : calls.at(-1);
    // Some servers number the first piece only, or all but the first.
    return found ?? (nameOf(piece) ? undefined : calls.at(-1));
  }

  private beginsAnother(call: PartialToolCall, piece: ToolCallDelta): boolean {
    const [id, name, given] = [idOf(piece), nameOf(piece), argumentsOf(piece).trim()];
    if (!name) return false;
    // Some servers give every piece an id of its own: then the arguments are still open, and the piece continues them.
    const goesOn = (piece.index ?? undefined) !== undefined && name === call.name && call.isContinuedBy(given);
    if (id !== undefined && call.id !== undefined && id !== call.id) return !goesOn;
    const sameId = id !== undefined && id === call.id;
    const samePlace = sameId || (piece.index ?? undefined) !== undefined;
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
  /** The last piece while each piece repeats the one before it and goes on. */
  private grown: string | undefined = "";

  constructor(
    first: ToolCallDelta,
    /** Its place among the pieces of the event that began it. */
    readonly place: number,
  ) {
    this.id = idOf(first);
    this.index = first.index ?? undefined;
  }

  push(piece: ToolCallDelta): void {
    const name = nameOf(piece);
    if (name) this.name = name.startsWith(this.name) ? name : this.name + name;
    const given = argumentsOf(piece);
    if (given === "") return;
    const isWhole = typeof fieldsOf(piece).arguments !== "string";
    if (isWhole || (given.trimStart().startsWith("{") && this.isPlaceholder)) this.text = given;
    else if (!this.repeats(given) || !this.isComplete) this.text += given;
    this.grown = this.grown !== undefined && given.startsWith(this.grown) ? given : undefined;
  }

  get arguments(): string {
    const { text, grown } = this;
    return !isObjectJson(text) && grown !== undefined && isObjectJson(grown) ? grown : text;
  }

  get isEmpty(): boolean {
    return this.text.trim() === "";
  }

  get isComplete(): boolean {
    return isObjectJson(this.text);
  }

  /** Some servers begin with an empty object where the arguments follow. */
  get isPlaceholder(): boolean {
    return this.text.trim() === "{}";
  }

  /** Whether the arguments are open, or open with this piece. */
  isContinuedBy(given: string): boolean {
    return this.isEmpty ? given !== "" && !isObjectJson(given) : !isObjectJson(this.arguments);
  }

  repeats(given: string): boolean {
    return this.text.trim() === given.trim();
  }
}

const fieldsOf = (piece: ToolCallDelta): FunctionDelta => piece.function ?? (piece as FunctionDelta);

function nameOf(piece: ToolCallDelta): string {
  const { name } = fieldsOf(piece);
  return typeof name === "string" ? name : "";
}

const idOf = ({ id }: ToolCallDelta): string | undefined => (id === undefined || id === null || id === "" ? undefined : `${id}`);

function argumentsOf(piece: ToolCallDelta): string {
  const given = fieldsOf(piece).arguments ?? "";
  return typeof given === "string" ? given : JSON.stringify(given);
}

// The messages between a page and the worker that computes for it.
//
//     page                                  worker
//     ── call 1: name, arguments, credits ─→
//                                          ←─ call 1: item          at most as many as the page has granted
//     ── call 1: more ─→                                            the page can take more items
//     ── call 1: abort ─→                                           the page does not need the rest
//                                          ←─ call 1: result, or error    the last message of the call
//                                          ←─ event                 at any time: progress, warnings, kernel calls
//
// Calls overlap, and begin in the order in which the page makes them. Sessions and caches stay in the worker. The page names them by numbers
// that it chooses, so that it need not wait for their creation.

import type { LoadOptions, Progress } from "../checkpoint/load-options.js";
import type { Token } from "../generate/generate.js";
import type { GenerateOptions } from "../generate/options.js";
import type { SessionInput } from "../generate/session.js";
import type { Prompt, PromptOptions, Usage } from "../language-model.js";
import type { Config } from "../model/config.js";
import type { ForwardOptions, ForwardOutput } from "../model/forward.js";
import type { TokenIds } from "../model/token-ids.js";
import type { KernelCall } from "../runtime/runtime.js";
import type { Build } from "../runtime/wasm.js";
import type { ChatMessage, ChatOptions } from "../text/format-chat.js";
import type { StreamingStatistics } from "../weights/streamed.js";
import type { SentError } from "./sent-error.js";
import type { SentSource } from "./sent-source.js";

/** Version of the messages. A worker refuses a page with another version: its script was copied from another version of the package. */
export const PROTOCOL_VERSION = 1;

/** A message of the page. */
export type Request =
  | { readonly call: number; readonly name: Name; readonly args: unknown; readonly credits: number }
  | { readonly call: number; readonly more: number }
  | { readonly call: number; readonly abort: true };

/** A message of the worker. */
export type Reply =
  | { readonly call: number; readonly item: unknown }
  | { readonly call: number; readonly result: unknown }
  | { readonly call: number; readonly error: SentError }
  | { readonly event: ModelEvent };

export type ModelEvent = { readonly progress: Progress } | { readonly warning: string } | { readonly kernel: KernelCall };

/** The arguments, items and result of each operation. The memory of items and results is transferred. */
export interface Operations {
  load: Operation<LoadRequest, never, ModelFacts>;
  statistics: Operation<undefined, never, WorkerStatistics>;
  formatChat: Operation<{ messages: readonly ChatMessage[]; options: ChatOptions }, never, string>;
  generate: Operation<{ inputs: readonly Prompt[]; options: PromptOptions }, { token: Token; usage: Usage }>;
  forward: Operation<ForwardRequest, LayerData, { output: ForwardOutput; lengths: readonly number[] }>;
  fetch: Operation<SentRequest, ResponseHead | Uint8Array>;

  createSession: Operation<{ handle: number; seed: number }>;
  restoreSession: Operation<{ handle: number; bytes: Uint8Array }>;
  forkSession: Operation<{ handle: number; from: number }, never, SessionChange>;
  append: Operation<{ handle: number; input: SessionInput; prefillChunk: number | undefined }, SessionChange>;
  continue: Operation<{ handle: number; input: SessionInput; options: GenerateOptions }, SessionChange & { token?: Token; usage?: Usage }>;
  rewind: Operation<{ handle: number; length: number }>;
  save: Operation<{ handle: number }, never, Uint8Array>;

  createCache: Operation<{ handle: number }>;
  copyCache: Operation<{ handle: number; from: number }>;
  /** Frees a session or a cache. */
  free: Operation<{ handle: number }>;
}

export type Name = keyof Operations;

interface Operation<Args, Item = never, Result = void> {
  readonly args: Args;
  readonly item: Item;
  readonly result: Result;
}

export interface LoadRequest {
  readonly version: number;
  readonly source: SentSource;
  /** Without signal and callbacks. */
  readonly options: LoadOptions;
  /** Whether kernel calls are reported. */
  readonly kernels: boolean;
  /** Whether the page needs the files of the tokenizer. */
  readonly tokenizer: boolean;
  readonly serve: object;
}

/** What does not change while a model is loaded. */
export interface ModelFacts {
  readonly config: Config;
  readonly parameters: number;
  readonly build: Build;
  readonly threads: number;
  /** The tokenizer's end-of-sequence id. Undefined for a model without a tokenizer. */
  readonly text: { readonly eosId: number | undefined } | undefined;
  /** Files of the tokenizer, if the page needs them. */
  readonly files: ReadonlyMap<string, Uint8Array> | undefined;
}

/** Statistics of a model in a worker, at the time of the call. */
export interface WorkerStatistics {
  /** Number of threads that compute. */
  readonly threads: number;
  /** Bytes in use, their maximum so far, and the size of the wasm memory. */
  readonly memory: { readonly usedBytes: number; readonly peakBytes: number; readonly reservedBytes: number };
  /** Statistics of streaming so far. Undefined if the weights are not streamed. */
  readonly streaming: StreamingStatistics | undefined;
}

/** What a call has changed in a session. */
export interface SessionChange {
  /** Tokens that are new since the last change. */
  readonly ids: readonly number[];
  /** Minimum length for `rewind`. */
  readonly minLength: number;
  readonly seed: number;
}

export interface ForwardRequest {
  readonly batch: readonly TokenIds[];
  /** Without signal, callback and caches. */
  readonly options: ForwardOptions;
  /** Numbers of the caches. */
  readonly caches: readonly number[] | undefined;
  /** Whether the page needs the results of each layer. */
  readonly layers: boolean;
}

/** The results of one layer of a forward pass. */
export interface LayerData {
  readonly layer: number;
  readonly input: Float32Array;
  readonly output: Float32Array;
  readonly routerLogits: Float32Array;
}

export interface SentRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: [name: string, value: string][];
  readonly body: ArrayBuffer | undefined;
}

/** The first item of `fetch`. The chunks of the body follow. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: [name: string, value: string][];
}

// How a model takes its turns in an episode: token by token in a session, or by messages.

import type { StopReason, Token } from "../generate/index.js";
import type { LanguageModel, LanguageSession } from "../language-model.js";
import type { ChatMessage } from "../text/format-chat.js";
import type { ToolDefinition } from "./environment.js";
import { TurnEncoder, type TurnTokens } from "./turn-tokens.js";

/** Sampling of a turn. */
export interface TurnSampling {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP?: number;
  readonly signal: AbortSignal;
}

/** A turn of the model. Without token ids, `context` is absent, and so are ids and log-probabilities. */
export interface Turn {
  readonly context?: TurnTokens;
  readonly ids: readonly number[];
  /** Log-probability of each id at temperature 1. */
  readonly logp: readonly number[];
  readonly text: string;
  /** Number of sampled tokens. */
  readonly tokens: number;
  readonly stop: StopReason;
}

/** Takes the turns of a model in one episode. */
export interface Player {
  /** Adds messages to the conversation and samples the answer. Undefined if they do not fit into the model's context. */
  turn(messages: readonly ChatMessage[], sampling: TurnSampling): Promise<Turn | undefined>;
  /** Adds the answer to the conversation, in the form of a message. */
  record(answer: ChatMessage): void;
  dispose(): void;
}

/** Opens a player: with exact tokens if the model has a tokenizer, otherwise with messages. */
export function openPlayer(model: LanguageModel, tools: readonly ToolDefinition[], seed: number): Player {
  return model.tokenizer ? new SessionPlayer(model, tools, seed) : new MessagePlayer(model, tools, seed);
}

/** Continues one session, so that every token is computed once. */
class SessionPlayer implements Player {
  private readonly session: LanguageSession;
  private readonly encoder: TurnEncoder;
  private readonly contextLength: number;

  constructor(model: LanguageModel, tools: readonly ToolDefinition[], seed: number) {
    const { config } = model as { readonly config?: { readonly maxPositionEmbeddings?: number } };
    this.contextLength = config?.maxPositionEmbeddings ?? Number.POSITIVE_INFINITY;
    this.encoder = new TurnEncoder(model, tools);
    this.session = model.session({ seed });
  }

  async turn(messages: readonly ChatMessage[], sampling: TurnSampling): Promise<Turn | undefined> {
    const { session, encoder } = this;
    const context = session.length === 0 ? await encoder.first(messages) : await encoder.next(messages, session.ids.at(-1));
    if (session.length + context.ids.length >= this.contextLength) return undefined;
    const answer = await collect(session.generate([...context.ids], sampling));
    return { context, ...answer };
  }

  /** The session has the answer's tokens already. */
  record(): void {}

  dispose(): void {
    this.session.dispose();
  }
}

/** Sends the whole conversation in each turn, as servers without token ids need it. */
class MessagePlayer implements Player {
  private readonly history: ChatMessage[] = [];
  private turns = 0;

  constructor(
    private readonly model: LanguageModel,
    private readonly tools: readonly ToolDefinition[],
    private readonly seed: number,
  ) {}

  async turn(messages: readonly ChatMessage[], sampling: TurnSampling): Promise<Turn> {
    this.history.push(...messages);
    const seed = (this.seed + this.turns++) % 2 ** 32;
    const options = { ...sampling, seed, ...(this.tools.length > 0 && { tools: this.tools.map(asFunction) }) };
    const { text, tokens, stop } = await collect(this.model.generate([...this.history], options));
    return { ids: [], logp: [], text, tokens, stop };
  }

  record(answer: ChatMessage): void {
    this.history.push(answer);
  }

  dispose(): void {}
}

/** A tool in the form of OpenAI's API. */
const asFunction = ({ name, description, parameters }: ToolDefinition) => ({
  type: "function",
  function: { name, description, parameters },
});

async function collect(generation: AsyncIterable<Token>): Promise<Omit<Turn, "context">> {
  const ids: number[] = [];
  const logp: number[] = [];
  let text = "";
  let stop: StopReason = "length";
  let tokens = 0;
  for await (const token of generation) {
    ids.push(token.id);
    logp.push(token.logprob);
    text += token.text;
    tokens++;
    stop = token.stop ?? stop;
  }
  return { ids, logp, text, tokens, stop };
}

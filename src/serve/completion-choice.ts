import type { Token } from "../generate/generate.js";
import { type Choice, type ChoiceContext, finishFields } from "./choice.js";
import { completionLogprobs } from "./logprobs.js";

type Logprobs = ReturnType<typeof completionLogprobs>;

/** A choice of /v1/completions. It contains the generated text unchanged. */
export class CompletionChoice implements Choice {
  private text = "";
  private readonly ids: number[] = [];
  private readonly logprobs: Logprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  private end: object = {};

  constructor(private readonly context: ChoiceContext) {}

  push(token: Token): object | undefined {
    const { index, params, prompt } = this.context;
    const isFirst = this.ids.length === 0;
    const logprobs = params.logprobs ? completionLogprobs(token, this.text.length, this.context) : null;
    this.end = finishFields(token);
    this.text += token.text;
    this.ids.push(token.id);
    for (const [name, values] of Object.entries(logprobs ?? {})) (this.logprobs[name as keyof Logprobs] as unknown[]).push(...values);
    if (!token.text && !token.stop && !logprobs && !params.returnTokenIds) return undefined;
    return {
      ...{ index, text: token.text, logprobs, ...this.end },
      ...(params.returnTokenIds && { token_ids: [token.id], ...(isFirst && { prompt_token_ids: prompt }) }),
    };
  }

  result(): object {
    const { index, params, prompt } = this.context;
    return {
      ...{ index, text: this.text, logprobs: params.logprobs ? this.logprobs : null, ...this.end },
      ...(params.returnTokenIds && { token_ids: this.ids, prompt_token_ids: prompt }),
    };
  }
}

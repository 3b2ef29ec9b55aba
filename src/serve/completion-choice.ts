import type { Token } from "../generate/generate.js";
import { type Choice, type ChoiceContext, completionLogprobs, finishFields } from "./choice.js";

type Logprobs = ReturnType<typeof completionLogprobs>;

/** An answer of /v1/completions: the generated text as it is. */
export class CompletionChoice implements Choice {
  private text = "";
  private readonly ids: number[] = [];
  private readonly logprobs: Logprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  private end: object = {};

  constructor(private readonly writing: ChoiceContext) {}

  push(token: Token): object | undefined {
    const { index, params, prompt } = this.writing;
    const begins = this.ids.length === 0;
    const logprobs = params.logprobs ? completionLogprobs(token, this.text.length, this.writing) : null;
    this.end = finishFields(token);
    this.text += token.text;
    this.ids.push(token.id);
    for (const [name, values] of Object.entries(logprobs ?? {})) (this.logprobs[name as keyof Logprobs] as unknown[]).push(...values);
    if (!token.text && !token.stop && !logprobs && !params.returnTokenIds) return undefined;
    return {
      ...{ index, text: token.text, logprobs, ...this.end },
      ...(params.returnTokenIds && { token_ids: [token.id], ...(begins && { prompt_token_ids: prompt }) }),
    };
  }

  result(): object {
    const { index, params, prompt } = this.writing;
    return {
      ...{ index, text: this.text, logprobs: params.logprobs ? this.logprobs : null, ...this.end },
      ...(params.returnTokenIds && { token_ids: this.ids, prompt_token_ids: prompt }),
    };
  }
}

/** Settings of lightning attention. The values of MiniMax-M1 are in parentheses. */
export interface LightningSettings {
  /** Number of query heads (`num_attention_heads`). */
  readonly heads: number;
  /** Number of heads of keys and values (`heads`). Each serves `heads / keyValueHeads` consecutive query heads. */
  readonly keyValueHeads: number;
  readonly headDim: number;
  /** `joint`: q, k and v come from one matrix, followed by SiLU. `separate`: from three matrices, without SiLU. (`joint`) */
  readonly projection: "joint" | "separate";
  /** Whether the queries and the keys of each head are normalised (false). */
  readonly qkNorm: boolean;
  /** Number of leading dims of each head to which the rotary embedding is applied (0). */
  readonly rotaryDim: number;
  /** Factor of the scores, `o_t = scale · q_tᵀ S_t` (1). */
  readonly scale: number;
  /** Whether the decay slopes decrease with the depth of the layer (true). */
  readonly layerDecay: boolean;
  /** Whether the results of all heads are normalised together (true). */
  readonly outputNorm: boolean;
  /** Whether the results are multiplied by the sigmoid of another projection of the input (true). */
  readonly outputGate: boolean;
  /** Epsilon of the norms within the block (1e-6, the default of the published norm class; the code does not pass `rms_norm_eps`). */
  readonly normEps: number;
}

/** Settings of softmax attention, beside the heads. The values of MiniMax-M1 are in parentheses. */
export interface SoftmaxSettings {
  /** Whether the queries and the keys of each head are normalised (false). */
  readonly qkNorm: boolean;
  /**
   * Factor s of the queries (1). With `{ logBase: a }` it depends on the position t, which begins at 0: `s(t) = ln(t + a) / ln(a)`.
   */
  readonly queryScale: number | { readonly logBase: number };
  /** Whether the results are multiplied by the sigmoid of another projection of the input (false). */
  readonly outputGate: boolean;
}

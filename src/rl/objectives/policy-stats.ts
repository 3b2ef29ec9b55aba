import { quantiles } from "../statistics.js";

/** Statistics of an objective over its unmasked tokens. Every token has the same weight. All values are 0 if there are no such tokens. */
export interface PolicyStats {
  /** Number of unmasked tokens. */
  readonly tokens: number;
  /**
   * Share of tokens whose ratio was clipped or whose gradient was stopped, among all tokens and separately by the sign of the advantage.
   */
  readonly clipFraction: { readonly all: number; readonly positive: number; readonly negative: number };
  /** Mean and quantiles of the importance ratio r = π_θ / π_old, interpolated linearly. With GSPO, r is the ratio of the response. */
  readonly ratio: {
    readonly mean: number;
    readonly min: number;
    readonly p05: number;
    readonly p50: number;
    readonly p95: number;
    readonly p99: number;
    readonly max: number;
  };
  /** Effective sample size (Σ r)² / Σ r²: the number of equally weighted tokens that would give the same variance. */
  readonly effectiveSampleSize: number;
  /** Mean of |log π_θ − log π_old|. */
  readonly meanAbsLogRatio: number;
  /**
   * Estimates of KL(π_old ‖ π_θ) in nats per token, with d = log π_θ − log π_old (Schulman 2020): k1 = mean of −d, k3 = mean of
   * e^d − 1 − d.
   */
  readonly kl: { readonly k1: number; readonly k3: number };
  /** k3 estimate of KL(π_θ ‖ π_ref), which `klCoef` multiplies. Present if the batch has `logpRef`. */
  readonly klRef?: number;
}

/** One unmasked token. */
interface TokenRecord {
  /** The ratio that the objective used: the ratio of the token or, with GSPO, of its response. */
  readonly ratio: number;
  /** log r of the token itself. */
  readonly logRatio: number;
  readonly k3: number;
  readonly klRef: number;
  readonly advantage: number;
  readonly clipped: boolean;
}

/** Accumulates statistics token by token. */
export class PolicyStatsAccumulator {
  private readonly ratios: number[] = [];
  private readonly signs = { positive: { tokens: 0, clipped: 0 }, negative: { tokens: 0, clipped: 0 }, none: { tokens: 0, clipped: 0 } };
  private readonly sums = { abs: 0, k1: 0, k3: 0, ref: 0 };

  constructor(private readonly hasReference: boolean) {}

  add({ ratio, logRatio, k3, klRef, advantage, clipped }: TokenRecord): void {
    this.ratios.push(ratio);
    this.sums.abs += Math.abs(logRatio);
    this.sums.k1 -= logRatio;
    this.sums.k3 += k3;
    this.sums.ref += klRef;
    const sign = this.signs[advantage > 0 ? "positive" : advantage < 0 ? "negative" : "none"];
    sign.tokens++;
    sign.clipped += Number(clipped);
  }

  stats(): PolicyStats {
    const { ratios } = this;
    const tokens = ratios.length;
    const [sum, squares] = [ratios.reduce((s, r) => s + r, 0), ratios.reduce((s, r) => s + r * r, 0)];
    const mean = (total: number, count = tokens) => (count === 0 ? 0 : total / count);
    const { positive, negative, none } = this.signs;
    const [min, p05, p50, p95, p99, max] = tokens === 0 ? [0, 0, 0, 0, 0, 0] : quantiles(ratios, [0, 0.05, 0.5, 0.95, 0.99, 1] as const);
    return {
      tokens,
      clipFraction: {
        all: mean(positive.clipped + negative.clipped + none.clipped),
        positive: mean(positive.clipped, positive.tokens),
        negative: mean(negative.clipped, negative.tokens),
      },
      ratio: { mean: mean(sum), min, p05, p50, p95, p99, max },
      effectiveSampleSize: tokens === 0 ? 0 : sum ** 2 / squares,
      meanAbsLogRatio: mean(this.sums.abs),
      kl: { k1: mean(this.sums.k1), k3: mean(this.sums.k3) },
      ...(this.hasReference && { klRef: mean(this.sums.ref) }),
    };
  }
}

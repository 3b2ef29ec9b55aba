// Rotary settings of softmax layers. A config.json can give them in several places.

import {
  type ConfigKeys,
  expectConfig,
  expectNeutral,
  ROPE_KEYS,
  type RopeObject,
  readRopeObject,
  singleValue,
  throwConfigError,
} from "./config-keys.js";

/** Parameters of the rotary embedding. The first `dim` dims of each head are rotated in pairs by the angles `t · theta^(−2j/dim)`. */
export interface RopeSettings {
  readonly theta: number;
  readonly dim: number;
}

/** An object of rotary settings and its path in the file. */
interface RopeSource {
  readonly path: string;
  readonly settings: RopeObject;
}

/** Default of theta in both MiniMax dialects. */
const DEFAULT_THETA = 1e6;

/** The keys that give rotary settings, and the context, which they may repeat. */
type RopeKeys = Pick<
  ConfigKeys,
  "rope_theta" | "rotary_dim" | "partial_rotary_factor" | "rope_parameters" | "rope_scaling" | "max_position_embeddings"
>;

/**
 * Reads theta and the number of rotated dims from all places that can give them. These are `rope_theta`, `rotary_dim` and
 * `partial_rotary_factor` at the top level, and the objects `rope_parameters` (transformers 5) and `rope_scaling` (transformers 4). The
 * objects may have an additional level for the layer type.
 *
 * By default the whole head is rotated.
 *
 * @throws {ConfigError} different values in several places, a type of rotary embedding other than `default`, or settings of other types
 */
export function readRopeSettings(keys: RopeKeys, headDim: number, defaultTheta = DEFAULT_THETA): RopeSettings {
  const places = [...listRopeSources(keys.rope_parameters, "rope_parameters"), ...listRopeSources(keys.rope_scaling, "rope_scaling")];
  for (const { path, settings } of places) expectDefaultRope(settings, path, keys);
  const theta = singleValue<number>([
    ["rope_theta", keys.rope_theta],
    ...places.map(({ path, settings }) => [`${path}.rope_theta`, settings.rope_theta] as const),
  ]);
  const shares = [
    ["partial_rotary_factor", keys.partial_rotary_factor] as const,
    ...places.map(({ path, settings }) => [`${path}.partial_rotary_factor`, settings.partial_rotary_factor] as const),
  ];
  const share = singleValue<number>(shares);
  return { theta: theta ?? defaultTheta, dim: resolveRotaryDim(keys.rotary_dim, share, shares, headDim) };
}

function resolveRotaryDim(
  rotaryDim: number | null | undefined,
  share: number | undefined,
  shares: readonly (readonly [string, number | null | undefined])[],
  headDim: number,
): number {
  if (share === undefined) return rotaryDim ?? headDim;
  // Rounds down, as transformers does. The addend corrects rounding errors: 0.29 · 100 is 28.999… in floating point.
  const dim = Math.floor(share * headDim + 1e-6);
  const where = shares.find(([, value]) => value === share)![0];
  expectConfig(
    dim >= 2 && dim % 2 === 0,
    where,
    `a fraction that gives an even number of dims of head_dim ${headDim}`,
    `${share} (${dim} dims)`,
  );
  if (rotaryDim && rotaryDim !== dim) {
    throwConfigError(
      where,
      `expected ${rotaryDim / headDim} (rotary_dim ${rotaryDim} / head_dim ${headDim}), got ${share}. Remove the wrong one.`,
    );
  }
  return dim;
}

/**
 * Lists the settings of an object and its settings per layer type. Lightning layers have no rotary embedding, so settings for them must
 * equal the others.
 */
function listRopeSources(value: unknown, path: string): RopeSource[] {
  if (value === null || value === undefined) return [];
  const { full_attention: full, linear_attention: linear, ...settings } = readRopeObject(value, path);
  const nested = Object.entries({ full_attention: full, linear_attention: linear }).flatMap(([type, own]) =>
    own === null || own === undefined ? [] : [{ path: `${path}.${type}`, settings: readRopeObject(own, `${path}.${type}`) }],
  );
  const alone = nested.length === 1 && (full === null || full === undefined) && Object.keys(nested[0]!.settings).length > 0;
  expectConfig(!alone, `${path}.linear_attention`, "no value, because lightning layers have no rotary embedding", JSON.stringify(linear));
  return [{ path, settings }, ...nested];
}

/** Checks that the settings describe the default rotary embedding. @throws {ConfigError} a setting of another type of rotary embedding */
function expectDefaultRope(settings: RopeObject, path: string, { max_position_embeddings: longest }: RopeKeys): void {
  for (const [key, value] of Object.entries(settings)) {
    if (ROPE_KEYS.includes(key)) continue;
    if (/^(original_)?max_position_embeddings$/.test(key) && value === longest) continue;
    expectNeutral(key, value, `${path}.${key}`);
  }
}

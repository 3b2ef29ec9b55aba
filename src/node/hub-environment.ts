// Settings of the hub from environment variables, which are read as huggingface_hub (Python) reads them.

import { homedir } from "node:os";
import { join } from "node:path";
import { CheckpointError, InputError } from "../base/errors.js";
import { parseUrl } from "../base/url.js";
import { type Endpoint, maskUrl, messageWithCauses, withCredentialsInHeader } from "../io/mask-secrets.js";
import { isMissingFileError, readSmallFile } from "./regular-file.js";

const MAX_TOKEN_BYTES = 1 << 16;

/** Returns whether a variable is on: `1`, `on`, `yes` or `true`, in upper or lower case. */
function isOn(value: string | undefined): boolean {
  return ["1", "ON", "YES", "TRUE"].includes((value ?? "").toUpperCase());
}

/** Returns whether the environment forbids network access: `HF_HUB_OFFLINE` or, if that is not set, `TRANSFORMERS_OFFLINE`. */
export function isOffline(): boolean {
  return isOn(process.env.HF_HUB_OFFLINE || process.env.TRANSFORMERS_OFFLINE);
}

/**
 * Returns the hub's endpoint: `HF_ENDPOINT` with a slash at its end, and the token as a header.
 *
 * @throws {CheckpointError} an `HF_ENDPOINT` that is not a URL, or a token file that cannot be read
 * @throws {InputError} a token that a header cannot contain
 */
export async function hubEndpoint(): Promise<Endpoint> {
  const text = process.env.HF_ENDPOINT?.trim() || "https://huggingface.co";
  const parsed = /^https?:/i.test(text) ? parseUrl(text) : undefined;
  if (!parsed) throw new CheckpointError(`HF_ENDPOINT: expected an http: or https: URL, got ${maskUrl(text)}`);
  const { url, headers } = withCredentialsInHeader(parsed);
  url.search = "";
  url.pathname = url.pathname.replace(/\/*$/, "/");
  const key = await hubToken();
  return { url, headers: key === undefined ? headers : { Authorization: `Bearer ${key}` } };
}

/**
 * Returns the token in `HF_TOKEN` or, if it is not set, the token that the hub's command line stored. Returns undefined if
 * `HF_HUB_DISABLE_IMPLICIT_TOKEN` is on.
 */
async function hubToken(): Promise<string | undefined> {
  const { HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_HOME, XDG_CACHE_HOME, HF_TOKEN_PATH } = process.env;
  if (isOn(HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  for (const [name, value] of Object.entries({ HF_TOKEN, HUGGING_FACE_HUB_TOKEN })) if (value?.trim()) return checkToken(value, name);
  const path = HF_TOKEN_PATH || join(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"), "token");
  try {
    return checkToken(await readSmallFile(path, MAX_TOKEN_BYTES), path);
  } catch (error) {
    if (isMissingFileError(error)) return undefined;
    if (error instanceof InputError) throw error;
    throw new CheckpointError(
      `${path}: the hub's token cannot be read: ${messageWithCauses(error)} (to use another file, set HF_TOKEN_PATH)`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Returns a token without surrounding white space. @throws {InputError} a token that a header cannot contain; the message does not show it
 */
function checkToken(text: string, where: string): string | undefined {
  const value = text.trim();
  if (value === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(value)) return value;
  const got = /[\r\n]/.test(value) ? "several lines" : "other characters";
  throw new InputError(`${where}: expected a token of visible ASCII characters without spaces, got ${got} (set one token)`);
}

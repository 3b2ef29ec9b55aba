import { LightningError } from "../../base/errors.js";

/** An answer that cannot be read or does not apply to the files. The message says where and why. */
export class PatchError extends LightningError {
  override name = "PatchError";
}

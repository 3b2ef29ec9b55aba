import { InputError, SessionError } from "../base/errors.js";

/** @throws {SessionError} another call on the session is running */
export function checkIdle(busy: boolean, where: string): void {
  if (busy) throw new SessionError(`${where}: another call on this session is running. Wait until it ends, break its loop, or use a fork.`);
}

/**
 * Checks that a session can be cut to `length` tokens.
 *
 * @param session its length, and the number of tokens that cannot be removed
 * @throws {InputError} not a length of this session @throws {SessionError} fewer tokens than the session can be cut to
 */
export function checkRewind(length: number, session: { readonly length: number; readonly minLength: number }): void {
  if (!Number.isInteger(length) || length < 0 || length > session.length) {
    throw new InputError(`session.rewind: length: expected an integer within [0, ${session.length}], got ${length}`);
  }
  if (length < session.minLength) {
    throw new SessionError(
      `session.rewind: length: expected at least ${session.minLength}, got ${length}: lightning layers cannot remove computed tokens. Fork or save before you continue, or append the first ${length} ids to a new session.`,
    );
  }
}

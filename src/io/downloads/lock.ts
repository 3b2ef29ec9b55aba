/**
 * Runs `body` while no other thread, tab or process of this origin runs one with the same name. Engines without Web Locks run it at once.
 * That is safe, because threads write the same bytes under the same names. At worst, they download them twice.
 *
 * @param onWait called if another thread holds the lock
 */
export async function withLock<T>(
  name: string,
  signal: AbortSignal | undefined,
  body: () => Promise<T>,
  onWait: () => void = () => {},
): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return body();
  const lockName = `lightning-m1 ${name}`;
  const { isBusy, result } = await locks.request(lockName, { ifAvailable: true }, async (lock) =>
    lock ? { isBusy: false as const, result: await body() } : { isBusy: true as const, result: undefined },
  );
  if (!isBusy) return result as T;
  onWait();
  return locks.request(lockName, signal ? { signal } : {}, body);
}

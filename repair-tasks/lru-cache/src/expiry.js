/** Returns when an entry expires that is stored at `now`. A lifetime of undefined, 0 or Infinity never ends. */
export function expiresAt(now, ttl) {
  if (ttl === undefined || ttl === 0 || ttl === Infinity) return Infinity;
  if (!(ttl > 0)) throw new RangeError(`ttl must be positive, got ${ttl}`);
  return now + ttl;
}

/** An entry is valid up to and excluding its last millisecond. */
export function isExpired(node, now) {
  return now >= node.expires;
}

import { createHash } from 'node:crypto';

/** A generator of choices that follow from a text: the same text, the same choices. */
export function random(seed) {
  let state = createHash('sha256').update(`${seed}`).digest().readUInt32LE();
  // Mulberry32: what chooses faults needs no better one.
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low, high) => low + Math.floor(next() * (high - low + 1));
  return {
    /** A whole number from `low` to `high`, both included. */
    between,
    pick: (list) => list[between(0, list.length - 1)],
    chance: (share) => next() < share,
  };
}

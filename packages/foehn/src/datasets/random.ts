// A small random number generator for what must not depend on the tensor engine: the order of samples and dummy data.
// SplitMix64's finaliser over a counter, on two 32-bit halves; not for cryptography, not libtorch's generator.

/** Uniform numbers in [0, 1), the same on every machine for the same seeds. */
export function createRandom(...seeds: readonly number[]): () => number {
  let state = 0x9e3779b9;
  for (const seed of seeds) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed is a whole number, got ${seed}`);
    // Seeds beyond 32 bits count too.
    state = mix(state ^ mix(seed | 0)) ^ mix(Math.floor(seed / 2 ** 32) + 0x85ebca6b);
  }
  let counter = state | 0;
  return () => {
    counter = (counter + 0x9e3779b9) | 0;
    const high = mix(counter ^ state) >>> 0;
    counter = (counter + 0x9e3779b9) | 0;
    const low = mix(counter) >>> 0;
    return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
  };
}

/** MurmurHash3's 32-bit finaliser. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Standard normal numbers by Box and Muller's method. */
export function createNormal(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** The numbers 0 to n − 1 in random order (Fisher and Yates's shuffle). */
export function permutation(n: number, random: () => number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

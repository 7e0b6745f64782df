// Random numbers without a state: Philox4x32-10 turns a key and a counter into four words, so any number of any stream can be had in
// any order on any machine. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11; the constants are those of Random123.
// Not for cryptography, and not libtorch's generator, whose numbers depend on what was drawn before and on the device.

/** What a stream of random numbers belongs to: nothing else decides them. */
export interface StreamKey {
  readonly seed: number;
  /** Epoch seconds UTC. */
  readonly time: number;
  readonly member: number;
  /** What the numbers are for: a channel's name. */
  readonly name: string;
}

/** Numbers of one stream, each call from the beginning. */
export interface RandomStream {
  /** Uniform in (0, 1), 32 bits. */
  uniforms(count: number): Float64Array;
  /** Standard normal, by Box and Muller's method. */
  normals(count: number): Float32Array;
}

/** @throws RangeError when seed, time or member is not a whole number */
export function randomStream({ seed, time, member, name }: StreamKey): RandomStream {
  for (const value of [seed, time, member]) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`expected a whole number, got ${value}`);
  }
  const high = (value: number) => Math.floor(value / 2 ** 32) | 0;
  // 160 bits of identity into the 64 of the key and the 96 that the counter leaves; the first call mixes seed and time.
  const words = philox([time | 0, high(time), high(seed), 0x666f6568], [seed | 0, 0x6e697365]);
  const key = [words[0]!, words[1]!] as const;
  const counter = [0, member | 0, hashName(name), high(member)] as [number, number, number, number];
  const blocks = (count: number, use: (block: Uint32Array, at: number) => void) => {
    const out = new Uint32Array(4);
    for (let at = 0; at < count; at += 4) {
      counter[0] = at / 4;
      use(philox(counter, key, out), at);
    }
  };
  return {
    uniforms(count) {
      const values = new Float64Array(count);
      blocks(count, (block, at) => {
        for (let i = 0; i < 4 && at + i < count; i++) values[at + i] = (block[i]! + 0.5) / 2 ** 32;
      });
      return values;
    },
    normals(count) {
      const values = new Float32Array(count);
      blocks(count, (block, at) => {
        for (let i = 0; i < 4 && at + i < count; i += 2) {
          const radius = Math.sqrt(-2 * Math.log((block[i]! + 0.5) / 2 ** 32));
          const angle = (2 * Math.PI * block[i + 1]!) / 2 ** 32;
          values[at + i] = radius * Math.cos(angle);
          if (at + i + 1 < count) values[at + i + 1] = radius * Math.sin(angle);
        }
      });
      return values;
    },
  };
}

/** Ten rounds of Philox4x32; `out` is filled and returned. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out = new Uint32Array(4),
): Uint32Array {
  let [a, b, c, d] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const low0 = Math.imul(0xd2511f53, a);
    const low1 = Math.imul(0xcd9e8d57, c);
    const high0 = mulHigh(0xd251, 0x1f53, a);
    const high1 = mulHigh(0xcd9e, 0x8d57, c);
    a = high1 ^ b ^ k0;
    b = low1;
    c = high0 ^ d ^ k1;
    d = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
  return out;
}

/** The upper 32 bits of a product of 32-bit numbers, the first in halves. Every partial sum is below 2^53 and exact. */
function mulHigh(upper: number, lower: number, value: number): number {
  const x = value >>> 0;
  const low = lower * (x & 0xffff);
  const middle = upper * (x & 0xffff) + lower * (x >>> 16) + Math.floor(low / 65536);
  return (upper * (x >>> 16) + Math.floor(middle / 65536)) | 0;
}

/** FNV-1a over UTF-16 units, 32 bits. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash;
}

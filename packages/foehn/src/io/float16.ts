// IEEE 754 half precision from and to single precision, for processors' worth of values: JavaScript on Node 20 has no Float16Array.

let table: Float32Array | undefined;

/** The value of every half-precision number, by its bits. */
function values(): Float32Array {
  if (table) return table;
  table = new Float32Array(1 << 16);
  for (let bits = 0; bits < 1 << 16; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) table[bits] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else table[bits] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return table;
}

/** Single precision from the bits of half precision; exact. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  const all = values();
  const out = new Float32Array(bits.length);
  for (let n = 0; n < bits.length; n++) out[n] = all[bits[n]!]!;
  return out;
}

const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** The bits of the nearest half-precision numbers, ties to even; too large becomes infinite, NaN stays NaN. */
export function toFloat16(array: Float32Array): Uint16Array {
  const out = new Uint16Array(array.length);
  for (let n = 0; n < array.length; n++) {
    single[0] = array[n]!;
    const x = singleBits[0]!;
    const sign = (x >>> 16) & 0x8000;
    const magnitude = x & 0x7fffffff;
    let half: number;
    if (magnitude > 0x7f800000) half = 0x7e00;
    else if (magnitude >= 0x477ff000) half = 0x7c00;
    else if (magnitude >= 0x38800000) {
      // Normal: the exponent's bias goes from 127 to 15, and 13 bits of the fraction are rounded away.
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    } else {
      // Subnormal: multiples of 2^-24. Adding and taking away 2^-1·(1 + …) would round the same way; this is plainer.
      const scaled = Math.abs(array[n]!) * 2 ** 24;
      const floor = Math.floor(scaled);
      const rest = scaled - floor;
      half = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
    }
    out[n] = sign | half;
  }
  return out;
}

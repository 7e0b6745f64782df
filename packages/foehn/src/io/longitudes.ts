// One rule for the longitudes of every format: ascending files stay ascending across the date line and Greenwich, and the western
// edge lies in [-180, 180). So 350 … 359.75, 0 … 2 becomes -10 … 2, and 0 … 359.75 stays as it is.

/**
 * Longitudes in degrees made continuous: whole turns are added where the axis wraps, then taken off so that its western end lies in
 * [-180, 180). The direction of the axis does not change.
 */
export function continuousLongitudes(longitudes: ArrayLike<number>): Float64Array {
  const out = Float64Array.from(longitudes);
  if (out.length === 0) return out;
  let eastward = 0;
  for (let i = 1; i < out.length; i++) eastward += Math.sign(shorterWay(out[i]! - out[i - 1]!));
  const direction = eastward >= 0 ? 1 : -1;
  let turns = 0;
  for (let i = 1; i < out.length; i++) {
    const previous = out[i - 1]!;
    let value = out[i]! + turns * 360;
    if ((value - previous) * direction < 0) {
      turns += direction;
      value += direction * 360;
    }
    out[i] = value;
  }
  const west = direction > 0 ? out[0]! : out[out.length - 1]!;
  // Rounded coordinates such as -180.0000001 belong to -180.
  const shift = -360 * Math.floor((west + 180 + 1e-6) / 360);
  return shift === 0 ? out : out.map((value) => value + shift);
}

/** The same turn within (-180, 180]: from 359 to 0 is one degree east. */
function shorterWay(degrees: number): number {
  return degrees - 360 * Math.ceil(degrees / 360 - 0.5);
}

// Surface pressure from geopotential on pressure levels: linear in ln p between the levels around the surface, with a second-order term
// for a lapse rate of 6.5 K/km, after Earth2Studio's DerivedSurfacePressure and with its constants.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { UsageError } from "../../core/errors.js";
import { input, output } from "./derived.js";
import type { Diagnostic } from "./diagnostic.js";

const gasConstantOfDryAir = 287.053;
const gravity = 9.8067;
const lapseRate = -6.5e-3;

/** What the surface pressure is computed from. */
export interface SurfacePressureOptions {
  /** Pressure levels in hPa, two or more. */
  readonly levels: readonly number[];
  /** Geopotential of the surface, (Y, X), m2 s-2. */
  readonly surfaceGeopotential: Float32Array;
  /** Whether temperatures on the levels are used. Default true. */
  readonly temperature?: boolean | undefined;
  /** The second-order term c becomes a + b c. Default (3.4257e-5, 1.5224), fitted to ERA5; (0, 1) leaves it as it is. */
  readonly adjustment?: readonly [number, number] | undefined;
}

/** `sp` in Pa from `z…` and `t…` on the levels. @throws UsageError for fewer than two levels */
export function surfacePressure(options: SurfacePressureOptions): Diagnostic {
  const { surfaceGeopotential, temperature = true, adjustment = [3.4257e-5, 1.5224] } = options;
  // From below to above.
  const levels = [...new Set(options.levels)].sort((a, b) => b - a);
  if (levels.length < 2) throw new UsageError("the surface pressure needs two or more pressure levels");
  const count = levels.length;
  const names = [...levels.map((level) => `z${level}`), ...(temperature ? levels.map((level) => `t${level}`) : [])];
  const apply = (x: Tensor): Tensor =>
    torch.scope(() => {
      const [rows, , ny, nx] = x.shape as [number, number, number, number];
      const surface = torch.fromTypedArray(surfaceGeopotential, [1, 1, ny, nx]).to(x.device).expand([rows, 1, ny, nx]);
      const z = x.narrow(1, 0, count);
      const logs = torch
        .tensor(
          levels.map((level) => Math.log(100 * level)),
          { device: x.device },
        )
        .reshape([1, count, 1, 1])
        .expand(z.shape);
      // The highest level below the surface; at the ends the last two levels go on in a straight line.
      const below = z
        .lt(surface)
        .sum({ dim: [1], keepdim: true })
        .sub(1)
        .clamp({ min: 0, max: count - 2 });
      const above = below.add(1);
      const [z0, z1] = [z.gather(1, below), z.gather(1, above)];
      const [p0, p1] = [logs.gather(1, below), logs.gather(1, above)];
      const height = surface.sub(z0);
      let log = p0.add(height.div(z1.sub(z0)).mul(p1.sub(p0)));
      if (temperature) {
        const t = x.narrow(1, count, count);
        const mean = t.gather(1, below).add(t.gather(1, above)).mul(0.5);
        const second = mean
          .square()
          .reciprocal()
          .mul(lapseRate / (2 * gravity * gasConstantOfDryAir))
          .mul(height)
          .mul(surface.sub(z1));
        log = log.add(second.mul(adjustment[1]).add(adjustment[0]));
      }
      return log.exp();
    });
  return {
    description: `surface pressure from ${levels.join(", ")} hPa`,
    inChannels: names.map(input),
    outChannels: [output("sp", "Pa", "Surface pressure")],
    apply,
  };
}

// Total column of water vapour: ∫ q dp / g from the surface to the highest level by the trapezoidal rule, after Earth2Studio's DerivedTCWV.
// Levels under the ground do not count; between the surface and the lowest level above it q is that level's.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { UsageError } from "../../core/errors.js";
import { input, output } from "./derived.js";
import type { Diagnostic } from "./diagnostic.js";

const gravity = 9.8067;

/** `tcwv` in kg m-2 from `q…` on pressure levels in hPa and `sp`. @throws UsageError for no levels */
export function columnWaterVapour(levels: readonly number[]): Diagnostic {
  const sorted = [...new Set(levels)].sort((a, b) => b - a);
  if (sorted.length === 0) throw new UsageError("the column of water vapour needs pressure levels");
  const apply = (x: Tensor): Tensor =>
    torch.scope(() => {
      const sp = x.narrow(1, sorted.length, 1);
      const q = (i: number) => x.narrow(1, i, 1);
      let column = torch.zerosLike(sp);
      for (const [i, level] of sorted.entries()) {
        const p = 100 * level;
        const isAbove = sp.ge(p);
        const fromSurface = q(i).mul(sp.sub(p));
        if (i === 0) {
          column = column.add(torch.where(isAbove, fromSurface, torch.zerosLike(sp)));
          continue;
        }
        const lower = 100 * sorted[i - 1]!;
        const layer = q(i - 1)
          .add(q(i))
          .mul(0.5 * (lower - p));
        const part = torch.where(sp.ge(lower), layer, fromSurface);
        column = column.add(torch.where(isAbove, part, torch.zerosLike(sp)));
      }
      // A missing surface pressure is above nothing; its column is missing too.
      return column.div(gravity).add(sp.mul(0));
    });
  return {
    description: `column of water vapour from ${sorted.join(", ")} hPa`,
    inChannels: [...sorted.map((level) => input(`q${level}`)), input("sp")],
    outChannels: [output("tcwv", "kg m-2", "Total column water vapour")],
    apply,
  };
}

// Humidity from humidity: relative from specific (IFS documentation CY48R1 part IV, eq. 7.98 on: saturation over water and ice, mixed
// between −23 and 0 °C), relative from the dewpoint (Magnus formula with the constants of Sonntag 1990), and the vapour pressure deficit
// (Hartmann, Global Physical Climatology). The constants are those of Earth2Studio's DerivedRH, DerivedRHDewpoint and DerivedVPD.

import * as torch from "@foehn/torch";
import { UsageError } from "../../core/errors.js";
import { everyOther, input, type Level, levelText, output } from "./derived.js";
import type { Diagnostic } from "./diagnostic.js";

/** Molar mass of water over that of dry air. */
const epsilon = 0.621981;

/** `r850` in percent, 0 to 100, from `t850` and `q850`. @throws UsageError for a level that is no pressure */
export function relativeHumidity(levels: readonly Level[]): Diagnostic {
  const pressures = levels.map((level) => {
    if (/^\d+$/.test(String(level))) return 100 * Number(level);
    throw new UsageError(`relative humidity from specific humidity needs pressure levels, got "${level}"`);
  });
  return {
    description: `relative humidity at ${levels.map(levelText).join(", ")}`,
    inChannels: levels.flatMap((level) => [input(`t${level}`), input(`q${level}`)]),
    outChannels: levels.map((level) => output(`r${level}`, "%", `Relative humidity at ${levelText(level)}`)),
    apply: (x) =>
      torch.scope(() => {
        const [t, q] = [everyOther(x, 0, 2), everyOther(x, 1, 2)];
        const p = torch.tensor(pressures, { device: x.device }).reshape([1, -1, 1, 1]);
        const vapour = p
          .mul(q)
          .div(epsilon)
          .div(q.mul(1 / epsilon - 1).add(1));
        const overWater = t.sub(273.16).mul(17.502).div(t.sub(32.19)).exp().mul(611.21);
        const overIce = t.sub(273.16).mul(22.587).div(t.add(0.7)).exp().mul(611.21);
        const water = t.sub(250.16).div(23).clamp({ min: 0, max: 1 }).square();
        const saturation = water.mul(overWater).add(water.mul(-1).add(1).mul(overIce));
        return vapour.mul(100).div(saturation).clamp({ min: 0, max: 100 });
      }),
  };
}

/** Options of `relativeHumidityFromDewpoint`. */
export interface DewpointOptions {
  /** `earth2studio`: 0 °C is taken as 273.16 K, which is the triple point; the difference is at most 0.01 %. */
  readonly compat?: "earth2studio" | undefined;
}

/** `r2m` in percent, 0 to 100, from `t2m` and `d2m`; over ice below 0 °C. */
export function relativeHumidityFromDewpoint(options: DewpointOptions = {}): Diagnostic {
  const zero = options.compat === "earth2studio" ? 273.16 : 273.15;
  return {
    description: "relative humidity at 2 m from the dewpoint",
    inChannels: [input("t2m"), input("d2m")],
    outChannels: [output("r2m", "%", "2 metre relative humidity")],
    apply: (x) =>
      torch.scope(() => {
        const [t, d] = [x.narrow(1, 0, 1).sub(zero), x.narrow(1, 1, 1).sub(zero)];
        // Of two exponentials one: the factor before them is the same.
        const magnus = (a: number, b: number) =>
          d
            .mul(a)
            .div(d.add(b))
            .sub(t.mul(a).div(t.add(b)))
            .exp();
        const ratio = torch.where(t.lt(0), magnus(22.46, 272.62), magnus(17.62, 243.12));
        return ratio.mul(100).clamp({ min: 0, max: 100 });
      }),
  };
}

/** `vpd850` in hPa from `t850` and `r850`; `vpd2m` from `t2m` and `r2m`. */
export function vapourPressureDeficit(levels: readonly Level[]): Diagnostic {
  return {
    description: `vapour pressure deficit at ${levels.map(levelText).join(", ")}`,
    inChannels: levels.flatMap((level) => [input(`t${level}`), input(`r${level}`)]),
    outChannels: levels.map((level) => output(`vpd${level}`, "hPa", `Vapour pressure deficit at ${levelText(level)}`)),
    apply: (x) =>
      torch.scope(() => {
        const [t, r] = [everyOther(x, 0, 2), everyOther(x, 1, 2)];
        // Latent heat of vaporisation over the gas constant of water vapour.
        const saturation = t
          .reciprocal()
          .mul(-1)
          .add(1 / 273.16)
          .mul(2.26e6 / 461)
          .exp()
          .mul(6.11);
        return saturation.mul(r.mul(-0.01).add(1));
      }),
  };
}

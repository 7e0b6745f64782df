// Diagnostics by what a user writes: `wind_speed:850,10m`, `surface_pressure:1000,925,850`, or a package with a diagnostic network.

import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { Grid } from "../../grid/grid.js";
import { openPackage } from "../../hub/model-package.js";
import type { PrecisionName } from "../../training/precision.js";
import { columnWaterVapour } from "./column-water-vapour.js";
import type { Level } from "./derived.js";
import type { Diagnostic } from "./diagnostic.js";
import { relativeHumidity, relativeHumidityFromDewpoint, vapourPressureDeficit } from "./humidity.js";
import { packageDiagnostic } from "./network-diagnostic.js";
import { surfacePressure } from "./surface-pressure.js";
import { windSpeed } from "./wind-speed.js";

/** What diagnostics may need besides the fields of the forecast. */
export interface DiagnosticContext {
  readonly grid: Grid;
  /** A field that does not change, (Y, X), in the units of the catalogue: `z`, the geopotential of the surface. */
  readonly invariant?: ((name: string) => Promise<Float32Array>) | undefined;
  readonly device?: string | undefined;
  readonly precision?: PrecisionName | undefined;
  readonly cwd?: string | undefined;
}

interface Kind {
  readonly summary: string;
  /** Levels where none are said; undefined: they must be said; empty: there are none. */
  readonly levels: readonly Level[] | undefined;
  make(levels: readonly Level[], context: DiagnosticContext): Diagnostic | Promise<Diagnostic>;
}

const pressures = [1000, 850, 700, 500, 300, 200, 100];

const kinds: Readonly<Record<string, Kind>> = {
  wind_speed: { summary: "ws from u and v", levels: undefined, make: (levels) => windSpeed(levels) },
  relative_humidity: {
    summary: "r from t and q at pressure levels",
    levels: undefined,
    make: (levels) => relativeHumidity(levels),
  },
  relative_humidity_2m: { summary: "r2m from t2m and d2m", levels: [], make: () => relativeHumidityFromDewpoint() },
  vapour_pressure_deficit: {
    summary: "vpd in hPa from t and r",
    levels: undefined,
    make: (levels) => vapourPressureDeficit(levels),
  },
  surface_pressure: {
    summary: "sp from z and t at pressure levels, and z of the surface in the data",
    levels: undefined,
    async make(levels, { invariant }) {
      if (!invariant) {
        throw new UsageError("the diagnostic surface_pressure needs the geopotential of the surface, z", {
          hint: "give data that have it",
        });
      }
      return surfacePressure({ levels: numbers(levels), surfaceGeopotential: await invariant("z") });
    },
  },
  total_column_water_vapour: {
    summary: "tcwv from q at pressure levels and sp",
    levels: pressures,
    make: (levels) => columnWaterVapour(numbers(levels)),
  },
};

/** Names of the diagnostics that are formulas, and what they do. */
export function listDiagnostics(): { readonly name: string; readonly summary: string }[] {
  return Object.entries(kinds).map(([name, { summary }]) => ({ name, summary }));
}

/** True for the name of a formula, with or without levels; anything else is a package. */
export const isFormula = (text: string): boolean => Object.hasOwn(kinds, text.split(":", 1)[0]!);

/**
 * The diagnostic that a text names: a formula with its levels after a colon, or a package.
 * @throws UsageError for an unknown name or levels that are missing or not wanted; as `packageDiagnostic`
 */
export async function openDiagnostic(text: string, context: DiagnosticContext): Promise<Diagnostic> {
  const [name = "", list] = text.split(":", 2);
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (!kind) {
    const where = context.cwd === undefined ? {} : { cwd: context.cwd };
    const pkg = await openPackage(text, where).catch((error: unknown) => {
      if (!/^\w+(:[\w,]*)?$/.test(text)) throw error;
      throw new UsageError(`there is no diagnostic "${text}", nor a package of that name`, {
        hint: `${didYouMean(name, Object.keys(kinds))} There are ${Object.keys(kinds).join(", ")}.`.trim(),
        cause: error,
      });
    });
    return packageDiagnostic(pkg, context);
  }
  const levels = list === undefined ? kind.levels : list.split(",").map((level) => level.trim());
  if (levels === undefined || levels.includes("")) {
    throw new UsageError(`the diagnostic ${name} needs its levels`, { hint: `for example ${name}:850,500` });
  }
  if (list !== undefined && kind.levels?.length === 0) throw new UsageError(`the diagnostic ${name} has no levels`);
  return kind.make(levels, context);
}

function numbers(levels: readonly Level[]): number[] {
  return levels.map((level) => {
    const hPa = Number(level);
    if (Number.isFinite(hPa) && hPa > 0) return hPa;
    throw new UsageError(`"${level}" is not a pressure level in hPa`);
  });
}

// A source on another grid: every field of a source is regridded as it is read. Vectors along the axes of a projection are turned
// east and north first. Methods and weights: grid/regrid/; map files: io/regrid-map.ts.

import { DataError } from "../core/errors.js";
import { type AnyGrid, describeAnyGrid } from "../grid/any-grid.js";
import type { Grid } from "../grid/grid.js";
import { type RegridMethod, regridder, regridMethods } from "../grid/regrid/regridder.js";
import type { MissingValues } from "../grid/regrid/sparse.js";
import { lookupVariable } from "../variables/catalogue.js";
import { resolveVariable } from "./resolve.js";
import type { Field, FieldRequest, Source } from "./source.js";

/** How fields come to another grid. */
export interface RegridSpec {
  /** A method, or the path of a map file (`.nc`). */
  readonly method: RegridMethod | (string & {});
  /** What becomes of missing values; default `nan`: they spread. */
  readonly missing?: MissingValues | undefined;
}

/** The same with the grid to go to. */
export interface SourceRegrid extends RegridSpec {
  readonly to: Grid;
}

/**
 * A source whose fields are regridded. `close` closes the inner one.
 * @throws UsageError for a method that there is not; DataError when it cannot do these grids, or the data do not cover the new grid;
 * with a map file as `mapRegridder`
 */
export async function regridSource(source: Source<AnyGrid>, { to, method, missing }: SourceRegrid): Promise<Source> {
  const from = source.grid;
  const options = missing === undefined ? {} : { missing };
  const known = regridMethods.find((name) => name === method);
  const grids =
    known === undefined && /[./]/.test(method)
      ? await (await import("../io/regrid-map.js")).mapRegridder(method, from, to, options)
      : regridder(from, to, method as RegridMethod, options);
  if (grids.uncovered > 0) {
    throw new DataError(`the data do not cover ${grids.uncovered} of the ${grids.weights.rows} points asked for`, {
      where: `data: ${describeAnyGrid(from)}\n       asked for: ${describeAnyGrid(to)}`,
      hint: "give data that reach further, or --regrid nearest, which repeats the outermost values",
    });
  }
  const turned = from.kind === "projected" && from.vectorsAlongGrid ? turnedVectors(source, from.eastOf) : undefined;
  return {
    description: `${source.description}, regridded (${method})`,
    variables: source.variables,
    grid: to,
    nativeGrid: from,
    times: source.times,
    ...(source.isOfEveryYear ? { isOfEveryYear: true } : {}),
    ...(source.timesOf ? { timesOf: (variable: string) => source.timesOf!(variable) } : {}),
    async read({ into, ...request }: FieldRequest): Promise<Field[]> {
      const fields = await (turned ?? ((wanted) => source.read(wanted)))(request);
      return fields.map((field, i) => ({ ...field, values: grids.apply(field.values, into?.[i]) }));
    },
    fillsArrays: true,
    close: () => source.close(),
  };
}

/** The other component of a wind: `v10m` of `u10m`. */
function partnerOf(name: string): string | undefined {
  const swap: Readonly<Record<string, string>> = { u: "v", v: "u" };
  const canonical = lookupVariable(name)?.name ?? name;
  return /^[uv](\d|$)/.test(canonical) ? `${swap[canonical[0]!]}${canonical.slice(1)}` : undefined;
}

/** Reads fields and turns the components of winds from the axes of the grid to east and north. */
function turnedVectors(
  source: Source<AnyGrid>,
  eastOf: (() => { readonly cosine: Float64Array; readonly sine: Float64Array }) | undefined,
): (request: FieldRequest) => Promise<Field[]> {
  return async (request) => {
    const partners = request.variables.map(partnerOf);
    if (partners.every((partner) => partner === undefined)) return source.read(request);
    if (!eastOf) {
      throw new DataError("winds along the axes of a curvilinear grid cannot be turned east and north", {
        where: source.description,
      });
    }
    for (const [i, partner] of partners.entries()) {
      if (partner === undefined) continue;
      try {
        resolveVariable(partner, source.variables, source.description);
      } catch (cause) {
        throw new DataError(
          `"${request.variables[i]}" is along the axes of the grid, and the data lack "${partner}" to turn it east and north`,
          { where: source.description, hint: "give data with both components", cause },
        );
      }
    }
    const wanted = [...new Set([...request.variables, ...partners.filter((name) => name !== undefined)])];
    const read = await source.read({ ...request, variables: wanted });
    const values = new Map(read.map((field) => [field.variable, field.values]));
    const { cosine, sine } = eastOf();
    return request.variables.map((variable, i): Field => {
      const own = values.get(variable)!;
      const partner = partners[i];
      if (partner === undefined) return { variable, time: request.time, values: own };
      const other = values.get(partner)!;
      // East is (cosine, sine) in the axes of the grid, north (-sine, cosine).
      const sign = partner.startsWith("v") ? 1 : -1;
      const out = own.map((value, n) => cosine[n]! * value + sign * sine[n]! * other[n]!);
      return { variable, time: request.time, values: out };
    });
  };
}

/** What models can read: the source regridded, or as it is when it is on latitudes and longitudes. @throws as `regridSource` and `requireLatLon` */
export async function onLatLon(source: Source<AnyGrid>, regrid: SourceRegrid | undefined): Promise<Source> {
  return regrid ? regridSource(source, regrid) : requireLatLon(source);
}

/** A source on latitudes and longitudes as it is; others are refused with what to do. @throws DataError */
export function requireLatLon(source: Source<AnyGrid>): Source {
  if (isLatLon(source)) return source;
  throw new DataError(`the fields are not on latitudes and longitudes: ${describeAnyGrid(source.grid)}`, {
    where: source.description,
    hint: "regrid them: --regrid bilinear or nearest for forecasts and scores, `regrid` in a dataset's file, openSource(…, { regrid }) in code",
  });
}

const isLatLon = (source: Source<AnyGrid>): source is Source => source.grid.kind === "latlon";

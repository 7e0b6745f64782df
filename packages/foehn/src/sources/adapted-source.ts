// A source under other names and in other units: what a provider calls `HGT_500` in metres becomes `z500`. Also keeps only some of the
// variables. Not here: interpolation (combine.ts).

import { DataError } from "../core/errors.js";
import { lookupVariable } from "../variables/catalogue.js";
import { conversion, sameUnits } from "../variables/units.js";
import { resolveVariable } from "./resolve.js";
import type { Source, VariableInfo } from "./source.js";

/** How a variable is made of one of the source. */
export interface Adaptation {
  /** Its name in the source; default the same name. */
  readonly from?: string | undefined;
  /** What the values are multiplied by, before `offset` is added; default 1. */
  readonly scale?: number | undefined;
  readonly offset?: number | undefined;
  /**
   * Units of the result. With `scale` or `offset` they only name what comes out; without them values are converted from the source's
   * units.
   */
  readonly units?: string | undefined;
}

/** Options of `adaptSource`. */
export interface AdaptOptions {
  /** By the name that the variable shall have. */
  readonly rename?: Readonly<Record<string, Adaptation>> | undefined;
  /** The only ones to offer, by their names afterwards; default all that were not renamed, and the renamed ones. */
  readonly variables?: readonly string[] | undefined;
}

interface Adapted {
  readonly info: VariableInfo;
  readonly from: string;
  readonly scale: number;
  readonly offset: number;
}

/**
 * Gives a source other names and units.
 * @throws DataError for a variable that the source lacks, and for units that cannot be converted
 */
export function adaptSource(source: Source, options: AdaptOptions): Source {
  const { rename = {}, variables } = options;
  const all = new Map<string, Adapted>();
  const taken = new Set<string>();
  for (const [name, adaptation] of Object.entries(rename)) {
    const adapted = adapt(name, adaptation, source);
    all.set(name, adapted);
    taken.add(adapted.from);
  }
  for (const info of source.variables) {
    if (!taken.has(info.name) && !all.has(info.name))
      all.set(info.name, { info, from: info.name, scale: 1, offset: 0 });
  }
  const offered = [...all.values()].map(({ info }) => info);
  const kept = variables?.map((name) => resolveVariable(name, offered, source.description).info) ?? offered;
  const find = (name: string) => {
    const { info, factor } = resolveVariable(name, kept, source.description);
    const { from, scale, offset } = all.get(info.name)!;
    return { from, scale: scale * factor, offset: offset * factor };
  };
  return {
    description: source.description,
    variables: kept,
    grid: source.grid,
    ...(source.nativeGrid ? { nativeGrid: source.nativeGrid } : {}),
    times: source.times,
    timesOf: (name) => source.timesOf?.(find(name).from) ?? source.times,
    async read(request) {
      const found = request.variables.map(find);
      const { into: _, ...rest } = request;
      const fields = await source.read({ ...rest, variables: found.map((f) => f.from) });
      return fields.map(({ time, values }, i) => {
        const { scale, offset } = found[i]!;
        const same = scale === 1 && offset === 0;
        return { variable: request.variables[i]!, time, values: same ? values : values.map((x) => x * scale + offset) };
      });
    },
    close: () => source.close(),
  };
}

function adapt(name: string, adaptation: Adaptation, source: Source): Adapted {
  const { scale, offset, units } = adaptation;
  const { info, factor } = resolveVariable(adaptation.from ?? name, source.variables, source.description);
  // Geopotential of heights would be scaled twice: a scale is for what the data have.
  if (factor !== 1) {
    throw new DataError(`the data have "${info.name}", of which "${adaptation.from ?? name}" can be made`, {
      where: source.description,
      hint: `write from: ${info.name}`,
    });
  }
  const from = info.name;
  const known = lookupVariable(name);
  const renamed = {
    ...info,
    name,
    ...(known && name !== from ? { longName: known.longName } : {}),
    ...(known?.standardName === undefined || name === from ? {} : { standardName: known.standardName }),
  };
  if (scale !== undefined || offset !== undefined) {
    const own = units ?? known?.units ?? info.units;
    return { info: { ...renamed, units: own }, from, scale: scale ?? 1, offset: offset ?? 0 };
  }
  if (units === undefined || sameUnits(units, info.units)) return { info: renamed, from, scale: 1, offset: 0 };
  const converted = conversion(info.units, units);
  return { info: { ...renamed, units }, from, scale: converted.factor, offset: converted.offset };
}

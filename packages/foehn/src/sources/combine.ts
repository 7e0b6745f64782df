// Several sources as one. `combine` joins their variables and times: whoever comes first and has a field gives it. `fallback` asks the
// next one also when the first fails to give what it should have, and says so. Fields of other grids are brought to the first one's
// grid when a method is named. Not here: the text that describes such a source (source-file.ts).

import { DataError, InterruptedError, isFoehnError } from "../core/errors.js";
import { createLogger, type Logger } from "../core/log.js";
import { formatTimeShort } from "../core/time.js";
import type { AnyGrid } from "../grid/any-grid.js";
import { describeGrid, type Grid, sameGrid } from "../grid/grid.js";
import { type Regridder, type RegridMethod, regridder } from "../grid/regrid/regridder.js";
import { lookupVariable } from "../variables/catalogue.js";
import { type Conversion, conversion, sameUnits } from "../variables/units.js";
import { listShort, resolveTime, resolveVariable } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";
import { lowerBound } from "./time-table.js";

/** Options of `combine`. */
export interface CombineOptions {
  /** How fields get to the grid of the result; without it all sources must have one grid. */
  readonly regrid?: RegridMethod | undefined;
  /** The grid of the result; default that of the first source. */
  readonly grid?: Grid | undefined;
}

/** Options of `fallback`. */
export interface FallbackOptions extends CombineOptions {
  /** Where it is said which source served what; default standard error. */
  readonly log?: Logger | undefined;
}

/**
 * Joins the variables and times of several sources: each field comes from the first one that has it. Errors are thrown.
 * @throws DataError for grids that differ without `regrid`, and for a variable whose units cannot be converted to the first one's
 */
export function combine(sources: readonly Source[], options: CombineOptions = {}): Source {
  return new JoinedSource("combined", sources, options, undefined);
}

/**
 * As `combine`, but a source that fails to give a field, for whatever reason, is passed over and the next one is asked. What another
 * than the first one served is logged: the first field for each reason, and the count when the source is closed.
 * @throws as `combine`; reading throws the error of the first source that failed when none can serve
 */
export function fallback(sources: readonly Source[], options: FallbackOptions = {}): Source {
  return new JoinedSource("with fallback", sources, options, options.log ?? createLogger());
}

/** What a source gives for one variable of a request. */
interface Piece extends Conversion {
  /** Position in the request. */
  readonly at: number;
  readonly ask: string;
}

class JoinedSource implements Source {
  readonly description: string;
  readonly variables: readonly VariableInfo[];
  readonly grid: Grid;
  readonly nativeGrid?: AnyGrid;
  readonly times: readonly number[];
  readonly #sources: readonly Source[];
  readonly #regridders = new Map<Source, Regridder>();
  readonly #times = new Map<string, readonly number[]>();
  readonly #log: Logger | undefined;
  /** How many fields each source served in place of an earlier one, and why. */
  readonly #stood = new Map<string, { readonly source: Source; count: number }>();

  constructor(kind: string, sources: readonly Source[], options: CombineOptions, log: Logger | undefined) {
    const first = sources[0];
    if (!first) throw new DataError("there is no source to combine");
    this.#sources = sources;
    this.#log = log;
    this.grid = options.grid ?? first.grid;
    if (first.nativeGrid) this.nativeGrid = first.nativeGrid;
    const variables = new Map<string, VariableInfo>();
    for (const source of sources) {
      if (!sameGrid(source.grid, this.grid))
        this.#regridders.set(source, regridderFor(source, this.grid, options.regrid));
      for (const info of source.variables) {
        const known = variables.get(info.name);
        if (!known) variables.set(info.name, info);
        else if (!sameUnits(known.units, info.units)) conversion(info.units, known.units); // throws when that makes no sense
      }
    }
    this.variables = [...variables.values()];
    this.times = mergeTimes(sources.map((source) => source.times));
    this.description = `${sources.length} sources ${kind}: ${sources.map((s) => s.description).join(" | ")}`;
  }

  timesOf(variable: string): readonly number[] {
    const { info } = resolveVariable(variable, this.variables, this.description);
    let times = this.#times.get(info.name);
    if (!times) {
      times = mergeTimes(
        this.#sources.flatMap((source) => (has(source, info.name) ? [timesIn(source, info.name)] : [])),
      );
      this.#times.set(info.name, times);
    }
    return times;
  }

  async read(request: FieldRequest): Promise<Field[]> {
    const { variables: names, time } = request;
    const found = names.map((name) => resolveVariable(name, this.variables, this.description));
    const values = new Array<Float32Array | undefined>(names.length);
    const problems: Error[] = [];
    for (const [rank, source] of this.#sources.entries()) {
      const pieces = found.flatMap(({ info, factor }, at) => {
        if (values[at]) return [];
        const piece = pieceOf(source, info, time);
        return piece ? [{ ...piece, at, factor: piece.factor * factor, offset: piece.offset * factor }] : [];
      });
      if (pieces.length === 0) continue;
      try {
        const { into: _, ...rest } = request;
        const fields = await source.read({ ...rest, variables: pieces.map((p) => p.ask) });
        for (const [i, piece] of pieces.entries()) values[piece.at] = this.#finished(source, fields[i]!.values, piece);
        if (rank > 0)
          this.#note(
            source,
            pieces.map((p) => names[p.at]!),
            time,
            problems,
          );
      } catch (error) {
        if (!this.#log || error instanceof InterruptedError || !isFoehnError(error)) throw error;
        problems.push(error);
      }
    }
    return names.map((variable, at) => {
      const field = values[at];
      if (field) return { variable, time, values: field };
      if (problems.length > 0) throw problems[0]!;
      resolveTime(time, this.timesOf(variable), `${this.description}, variable ${variable}`);
      throw new DataError(`no source gives ${variable} at ${formatTimeShort(time)}`, { where: this.description });
    });
  }

  #finished(source: Source, values: Float32Array, { factor, offset }: Piece): Float32Array {
    const own = factor === 1 && offset === 0 ? values : values.map((x) => x * factor + offset);
    return this.#regridders.get(source)?.apply(own) ?? own;
  }

  #note(source: Source, names: readonly string[], time: number, problems: readonly Error[]): void {
    if (!this.#log) return;
    const reason =
      problems.length > 0 ? problems.map((e) => e.message).join("; ") : "an earlier source does not have it";
    const kind = problems.map((e) => e.name).join();
    const key = `${this.#sources.indexOf(source)} ${kind}`;
    const known = this.#stood.get(key);
    if (known) known.count += names.length;
    else {
      this.#stood.set(key, { source, count: names.length });
      const what = `${listShort(names, 6)} at ${formatTimeShort(time)}`;
      this.#log.warn(`${what} from ${shortDescription(source)}: ${reason}`);
    }
  }

  async close(): Promise<void> {
    for (const { source, count } of this.#stood.values()) {
      if (count > 1)
        this.#log?.info(`${count} fields came from ${shortDescription(source)} in place of an earlier source`);
    }
    this.#stood.clear();
    await Promise.all(this.#sources.map((source) => source.close()));
  }
}

function regridderFor(source: Source, grid: Grid, method: RegridMethod | undefined): Regridder {
  if (method === undefined) {
    throw new DataError(`the sources lie on two grids: ${describeGrid(grid)} and ${describeGrid(source.grid)}`, {
      where: source.description,
      hint: "say how to interpolate: `regrid: bilinear` (or nearest, conservative, select)",
    });
  }
  const made = regridder(source.grid, grid, method);
  if (made.uncovered === 0) return made;
  throw new DataError(`a source does not cover ${made.uncovered} of the ${made.weights.rows} points of the grid`, {
    where: source.description,
    hint: `the grid is ${describeGrid(grid)}; nearest repeats the outermost values`,
  });
}

/** What to ask a source for, and how to turn it into the units of `info`; undefined when it does not have the field. */
function pieceOf(source: Source, info: VariableInfo, time: number): Omit<Piece, "at"> | undefined {
  if (!has(source, info.name)) return undefined;
  const own = resolveVariable(info.name, source.variables).info;
  const times = timesIn(source, info.name);
  if (!own.invariant && times[lowerBound(times, time)] !== time) return undefined;
  // Geopotential that is made of heights comes in the catalogue's units.
  const units = own.name === info.name ? own.units : (lookupVariable(info.name)?.units ?? own.units);
  const same = sameUnits(units, info.units);
  return { ask: info.name, ...(same ? { factor: 1, offset: 0 } : conversion(units, info.units)) };
}

function has(source: Source, name: string): boolean {
  try {
    resolveVariable(name, source.variables);
    return true;
  } catch {
    return false;
  }
}

function timesIn(source: Source, name: string): readonly number[] {
  return source.timesOf?.(name) ?? source.times;
}

function mergeTimes(lists: readonly (readonly number[])[]): readonly number[] {
  const distinct = [...new Set(lists)];
  if (distinct.length === 1) return distinct[0]!;
  return [...new Set(distinct.flat())].sort((a, b) => a - b);
}

/** The format and place, without the list of variables. */
function shortDescription(source: Source): string {
  return source.description.replace(/: .*$/s, "").slice(0, 200);
}

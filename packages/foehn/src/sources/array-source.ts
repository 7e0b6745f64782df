// A source over arrays in memory: tests, notebooks, and data that another program prepared.

import { DataError } from "../core/errors.js";
import { describeGrid, type Grid } from "../grid/grid.js";
import { lookupVariable } from "../variables/catalogue.js";
import { describeTimes, resolveTime, resolveVariable, scaled } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";

/** Fields on a grid. */
export interface ArraySourceOptions {
  readonly grid: Grid;
  /** Epoch seconds UTC, strictly ascending. */
  readonly times: readonly number[];
  /** Each of `times.length × ny × nx` values, or `ny × nx` for a field that does not change; not copied. */
  readonly fields: ReadonlyMap<string, Float32Array>;
  /** Units by variable; the catalogue's where left out, else "1". */
  readonly units?: Readonly<Record<string, string>>;
  readonly description?: string;
}

/**
 * Makes a source of arrays.
 * @throws DataError when times do not ascend or an array has the wrong length
 */
export function arraySource(options: ArraySourceOptions): Source {
  const { grid, times, fields } = options;
  const points = grid.shape[0] * grid.shape[1];
  const description = options.description ?? `arrays in memory, ${describeTimes(times)}, ${describeGrid(grid)}`;
  for (let i = 1; i < times.length; i++) {
    if (times[i]! <= times[i - 1]!) throw new DataError(`times must ascend, but time ${i} is not after time ${i - 1}`);
  }
  const variables: VariableInfo[] = [];
  for (const [name, values] of fields) {
    const invariant = values.length === points && times.length !== 1;
    if (!invariant && values.length !== points * times.length) {
      throw new DataError(
        `"${name}" has ${values.length} values; ${times.length} times of ${points} points need ${points * times.length}`,
      );
    }
    const known = lookupVariable(name);
    variables.push({
      name,
      units: options.units?.[name] ?? known?.units ?? "1",
      longName: known?.longName ?? name,
      ...(known?.standardName === undefined ? {} : { standardName: known.standardName }),
      ...(invariant ? { invariant } : {}),
    });
  }
  return {
    description,
    variables,
    grid,
    times,
    async read(request: FieldRequest): Promise<Field[]> {
      const at = resolveTime(request.time, times, description);
      return request.variables.map((variable) => {
        const { info, factor } = resolveVariable(variable, variables, description);
        const all = fields.get(info.name)!;
        const start = info.invariant ? 0 : at * points;
        return { variable, time: request.time, values: scaled(all.slice(start, start + points), factor) };
      });
    },
    async close(): Promise<void> {},
  };
}

// Fields that spell what they are: the values of a variable at a time follow from a hash of its name and the time, and differ from point
// to point. What reads them can prove that the right field of the right time reached the right place (forecast/dummy/), without data.
// After the `dummy` input of ECMWF's anemoi-inference. Not here: the random numbers of the dataset `dummy`.

import { DataError } from "../core/errors.js";
import { formatTime } from "../core/time.js";
import type { Grid } from "../grid/grid.js";
import { lookupVariable } from "../variables/catalogue.js";
import type { Field, Source } from "./source.js";

/** Mean and standard deviation of a variable, so that its dummy values are ones that a network may see. */
export interface DummyStats {
  readonly mean: number;
  readonly std: number;
}

/** A variable that a dummy source gives. */
export interface DummyVariable {
  readonly name: string;
  readonly units?: string | undefined;
  readonly stats?: DummyStats | undefined;
}

/** The code of a name at a time, (H, W), −1.5 to 1.5: standard deviations from the mean. */
export function dummyCode(name: string, time: number, shape: readonly [number, number]): Float32Array {
  const [a, b, c] = [0, 1, 2].map((salt) => fraction(`${salt} ${name} ${time}`)) as [number, number, number];
  const [ny, nx] = shape;
  const out = new Float32Array(ny * nx);
  // Every name and time has its own slope along rows and columns: no shift, flip or transposition of one is another.
  const [down, along] = [0.3 + 0.4 * b, 0.2 + 0.6 * c];
  for (let i = 0; i < ny; i++) {
    for (let j = 0; j < nx; j++) out[i * nx + j] = 3 * ((a + i * down + j * along) % 1) - 1.5;
  }
  return out;
}

/** The same in physical units. */
export function dummyField(variable: DummyVariable, time: number, shape: readonly [number, number]): Float32Array {
  const { mean, std } = variable.stats ?? { mean: 0, std: 1 };
  return dummyCode(variable.name, time, shape).map((code) => mean + std * code);
}

/** What a dummy source is made of. */
export interface DummySourceOptions {
  readonly grid: Grid;
  /** Epoch seconds UTC, ascending. */
  readonly times: readonly number[];
  readonly variables: readonly DummyVariable[];
}

/** A source of dummy fields. */
export function dummySource({ grid, times, variables }: DummySourceOptions): Source {
  const description = "dummy fields that spell their names and times";
  const byName = new Map(variables.map((variable) => [variable.name, variable]));
  return {
    description,
    grid,
    times,
    variables: variables.map(({ name, units }) => {
      const known = lookupVariable(name);
      return { name, units: units ?? known?.units ?? "1", longName: known?.longName ?? name };
    }),
    async read(request): Promise<Field[]> {
      const { time } = request;
      if (!times.includes(time)) throw new DataError(`there is no time ${formatTime(time)}`, { where: description });
      return request.variables.map((name) => {
        const variable = byName.get(name);
        if (!variable) throw new DataError(`there is no variable "${name}"`, { where: description });
        return { variable: name, time, values: dummyField(variable, time, grid.shape) };
      });
    },
    async close() {},
  };
}

/** FNV-1a of a text with a final mixing, as a number from 0 to 1. */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

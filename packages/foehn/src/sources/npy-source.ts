// A folder of .npy fields with a description: the layout that `foehn dataset convert` makes for fast training. One file per field and
// time, as its points lie in memory; half precision keeps 11 bits of each field's own range. A reading thread gets a field with one
// read of one file.
//
//   <folder>/fields.json                    grid, variables with units, scale and offset of stored values
//   <folder>/2023-01-31_05h00/t2m.npy       (ny, nx), north to south
//   <folder>/constant/orog.npy

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { validateSettings } from "../core/config.js";
import { FormatError } from "../core/errors.js";
import { describeGrid } from "../grid/grid.js";
import { gridFromJson, gridJsonSchema } from "../grid/json.js";
import { NpyReader } from "../io/npy.js";
import { folderTimes } from "./hourly-folders.js";
import { describeTimes, listShort, resolveTime, resolveVariable } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";
import { titanFolder, titanFolderTime } from "./titan/titan-source.js";

/** Name of the description. */
export const npyDescription = "fields.json";

/** Schema of the description. */
export const npyFolderSchema = z.strictObject({
  format: z.literal("foehn-npy"),
  version: z.literal(1),
  grid: gridJsonSchema,
  variables: z.array(
    z.strictObject({
      name: z.string(),
      units: z.string(),
      long_name: z.string(),
      invariant: z.boolean().default(false),
      scale: z.number().default(1).describe("value = stored × scale + offset"),
      offset: z.number().default(0),
    }),
  ),
});

/** The description of a folder. */
export type NpyFolder = z.infer<typeof npyFolderSchema>;

/** Where the file of a field is; invariant fields have no time. */
export function npyFieldFile(folder: string, name: string, time: number | undefined): string {
  return join(folder, time === undefined ? "constant" : titanFolder(time), `${name}.npy`);
}

/** True for a folder with a description. */
export function isNpyFolder(path: string): boolean {
  return existsSync(join(path, npyDescription));
}

/** Opens a folder. @throws FormatError or ConfigError for a description that is damaged */
export async function npySource(folder: string): Promise<Source> {
  const path = join(folder, npyDescription);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new FormatError(`the description cannot be read: ${(error as Error).message}`, { where: path, cause: error });
  }
  const { grid: gridJson, variables: described } = validateSettings(npyFolderSchema, json, path);
  const grid = gridFromJson(gridJson);
  const changing = described.filter((v) => !v.invariant);
  const { times } = await folderTimes({
    root: folder,
    timeOf: titanFolderTime,
    files: changing.map(({ name }) => `${name}.npy`),
  });
  const variables: VariableInfo[] = described.map(({ name, units, long_name, invariant }) => ({
    name,
    units,
    longName: long_name,
    ...(invariant ? { invariant } : {}),
  }));
  const names = listShort(
    variables.map((v) => v.name),
    8,
  );
  const description = `npy ${folder}: ${names}; ${describeTimes(times)}; ${describeGrid(grid)}`;
  const reader = new NpyReader();
  const points = grid.shape[0] * grid.shape[1];
  return {
    description,
    variables,
    grid,
    times,
    fillsArrays: true,
    async read({ time, variables: wanted, into }: FieldRequest): Promise<Field[]> {
      const found = wanted.map((variable) => resolveVariable(variable, variables, description));
      return found.map(({ info, factor }, i) => {
        if (!info.invariant) resolveTime(time, times, description);
        const file = npyFieldFile(folder, info.name, info.invariant ? undefined : time);
        const { values } = reader.read(file);
        if (values.length !== points) {
          throw new FormatError(`the array has ${values.length} values, the grid ${points} points`, { where: file });
        }
        const { scale, offset } = described.find((v) => v.name === info.name)!;
        const out = into?.[i] ?? new Float32Array(points);
        if (scale === 1 && offset === 0 && factor === 1) out.set(values);
        else for (let n = 0; n < points; n++) out[n] = (values[n]! * scale + offset) * factor;
        return { variable: wanted[i]!, time, values: out };
      });
    },
    async close(): Promise<void> {},
  };
}

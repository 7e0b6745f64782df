// A source over local Zarr stores, with the CF conventions that xarray writes into them.

import type { AttributeValue, ElementType, LabelledArray } from "../io/labelled-arrays.js";
import { openZarr, type ZarrArray } from "../io/zarr/read.js";
import { type CfSourceOptions, cfSource } from "./cf-source.js";
import type { Source } from "./source.js";

/**
 * Opens Zarr stores as one source.
 * @throws as `openZarr` and `cfSource`
 */
export async function zarrSource(paths: readonly string[], options: CfSourceOptions = {}): Promise<Source> {
  const groups = await Promise.all(paths.map(openZarr));
  const files = groups.map((group) => ({
    path: group.path,
    variables: group.arrays.map(labelled),
    close: () => {},
  }));
  return cfSource("Zarr", files, options);
}

const numeric = new Set([
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
]);

function labelled(array: ZarrArray): LabelledArray {
  const attributes: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(array.attributes)) {
    if (typeof value === "string" || typeof value === "number") attributes[name] = value;
    else if (Array.isArray(value) && value.every((v) => typeof v === typeof value[0])) attributes[name] = value;
  }
  // xarray keeps `_FillValue` of integers in the array's metadata only; for packed data it means missing.
  if (attributes._FillValue === undefined && "scale_factor" in attributes && array.fillValue !== undefined) {
    attributes._FillValue = Number(array.fillValue);
  }
  return {
    name: array.name,
    type: numeric.has(array.dataType) ? (array.dataType as ElementType) : "other",
    dimensions: array.dimensions,
    shape: array.shape,
    attributes,
    async read(start, count) {
      const selections = array.shape.map((size, i): readonly [number, number] => {
        const from = start?.[i] ?? 0;
        return [from, from + (count?.[i] ?? size - from)];
      });
      return (await array.read(selections)).data;
    },
  };
}

// A source over Zarr stores, local or remote, with the CF conventions that xarray writes into them: WeatherBench and ARCO-ERA5 are such.

import type { AttributeValue, ElementType, LabelledArray } from "../io/labelled-arrays.js";
import type { ObjectStore } from "../io/remote/object-store.js";
import { openZarr, type ZarrArray, type ZarrGroup, type ZarrReadOptions } from "../io/zarr/read.js";
import { type CfSourceOptions, cfSource } from "./cf-source.js";
import type { Source } from "./source.js";

/** Which part of the stores to take, and how. */
export interface ZarrSourceOptions extends Omit<CfSourceOptions, "concurrent">, ZarrReadOptions {}

/**
 * Opens Zarr stores as one source.
 * @param stores local folders, or stores whose addresses are those of the groups
 * @throws as `openZarr` and `cfSource`
 */
export async function zarrSource(
  stores: readonly (string | ObjectStore)[],
  options: ZarrSourceOptions = {},
): Promise<Source> {
  const { member, run, regrid, ...reading } = options;
  const groups = await Promise.all(stores.map((store) => openZarr(store, reading)));
  const files = groups.map((group) => ({
    path: group.path,
    variables: labelledArrays(group),
    close: () => {},
  }));
  return cfSource("Zarr", files, {
    ...(member === undefined ? {} : { member }),
    ...(run === undefined ? {} : { run }),
    regrid,
    concurrent: true,
  });
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

/** The arrays of a store with their attributes as CF readers want them. */
export function labelledArrays(group: ZarrGroup): LabelledArray[] {
  return group.arrays.map((array) => labelled(array, group.format));
}

function labelled(array: ZarrArray, format: 2 | 3): LabelledArray {
  const attributes: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(array.attributes)) {
    if (typeof value === "string" || typeof value === "number") attributes[name] = value;
    else if (Array.isArray(value) && value.every((v) => typeof v === typeof value[0])) attributes[name] = value;
  }
  if (format === 3) {
    // xarray writes the attribute's eight bytes in base64, because JSON has no NaN.
    const fill = attributes._FillValue;
    if (typeof fill === "string" && numeric.has(array.dataType)) attributes._FillValue = decodeFill(fill);
  } else if (attributes._FillValue === undefined && array.fillValue !== undefined && !isCoordinate(array)) {
    // In format 2 xarray keeps `_FillValue` in the array's metadata only; there it means missing. A zero is merely zarr's default.
    const fill = Number(array.fillValue);
    if (fill !== 0 || "scale_factor" in attributes) attributes._FillValue = fill;
  }
  return {
    name: array.name,
    type: numeric.has(array.dataType) ? (array.dataType as ElementType) : "other",
    dimensions: array.dimensions,
    shape: array.shape,
    attributes,
    chunkShape: array.chunkShape,
    async read(start, count) {
      const selections = array.shape.map((size, i): readonly [number, number] => {
        const from = start?.[i] ?? 0;
        return [from, from + (count?.[i] ?? size - from)];
      });
      return (await array.read(selections)).data;
    },
  };
}

function isCoordinate(array: ZarrArray): boolean {
  return array.dimensions.length === 1 && array.dimensions[0] === array.name;
}

function decodeFill(text: string): number {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === 8 ? bytes.readDoubleLE(0) : Number(text);
}

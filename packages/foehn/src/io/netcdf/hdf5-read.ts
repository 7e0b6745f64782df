// Reads NetCDF-4 files (and plain HDF5 with dimension scales) through h5wasm, which opens the real file and reads the blocks asked for.
// How NetCDF-4 lies in HDF5: NetCDF "Appendix C: File Format Specifications, NetCDF-4". Writing is in write.ts.

import { resolve } from "node:path";
import h5wasm from "h5wasm/node";
import { DataError, FormatError } from "../../core/errors.js";
import { withFile } from "../byte-reader.js";
import type { AttributeValue, ElementType, NumericArray } from "../labelled-arrays.js";
import { blockOf, runsOf } from "./blocks.js";
import type { NetcdfDimension, NetcdfFile, NetcdfVariable } from "./read.js";
import { defaultFill } from "./unpack.js";

type H5Dataset = InstanceType<typeof h5wasm.Dataset>;
type H5Group = InstanceType<typeof h5wasm.Group>;

/** Attributes that carry NetCDF's own bookkeeping. */
const hidden = new Set([
  "CLASS",
  "NAME",
  "DIMENSION_LIST",
  "REFERENCE_LIST",
  "DIMENSION_LABELS",
  "_Netcdf4Dimid",
  "_Netcdf4Coordinates",
  "_NCProperties",
  "_nc3_strict",
]);

/** What NetCDF writes as the name of a dimension that has no variable. */
const bareDimension = "This is a netCDF dimension but not a netCDF variable";

/**
 * Opens a NetCDF-4 or HDF5 file. Close it: it holds a file descriptor.
 * @throws FormatError when it is not HDF5, is cut short or damaged
 */
export async function openHdf5(path: string): Promise<NetcdfFile> {
  const full = resolve(path);
  checkSuperblock(full);
  const module = await h5wasm.ready;
  // HDF5 otherwise prints its error stack to standard error and h5wasm goes on with an invalid handle.
  const guarded = <T>(what: string, action: () => T): T => {
    module.activate_throwing_error_handler();
    try {
      return action();
    } catch (error) {
      if (error instanceof DataError || error instanceof FormatError) throw error;
      throw new FormatError(`${what}: ${shortReason(error)}`, {
        where: path,
        hint: "the file may be damaged; fetch it again",
      });
    } finally {
      module.deactivate_throwing_error_handler();
    }
  };
  const file = guarded("the HDF5 file cannot be opened", () => new h5wasm.File(full, "r"));
  let open = true;
  const close = (): void => {
    if (open) file.close();
    open = false;
  };
  try {
    const datasets = [...datasetsOf(file, path)];
    const dimensions = new Map<string, NetcdfDimension>();
    const found: { name: string; dataset: H5Dataset; names: string[] }[] = [];
    for (const { name, dataset } of datasets) {
      const { shape, maxshape } = dataset.metadata;
      const names = (shape ?? []).map((size, axis): string => {
        const dimension = dimensionName(dataset, name, axis, size);
        const unlimited = (maxshape?.[axis] ?? size) > Number.MAX_SAFE_INTEGER;
        const known = dimensions.get(dimension);
        if (!known || known.size < size) dimensions.set(dimension, { name: dimension, size, unlimited });
        return dimension;
      });
      if (!isBareDimension(dataset)) found.push({ name, dataset, names });
    }
    const variables = found.map(({ name, dataset, names }) => {
      const shape = names.map((dimension) => dimensions.get(dimension)!.size);
      return variable(path, name, dataset, names, shape, guarded);
    });
    return {
      path,
      format: "NetCDF-4",
      dimensions: [...dimensions.values()],
      variables,
      attributes: attributesOf(file),
      close,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Checks the signature and the stated length before HDF5 sees the file: both mistakes then have a plain message. */
function checkSuperblock(path: string): void {
  withFile(path, (file) => {
    const signature = Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]);
    let base = 0;
    while (base + 8 <= file.size && !file.bytes(base, 8).equals(signature)) base = base === 0 ? 512 : base * 2;
    if (base + 48 > file.size) {
      const start = file.bytes(0, Math.min(8, file.size)).toString("hex");
      throw new FormatError(`this is not a NetCDF file: it starts with the bytes ${start}`, { where: path });
    }
    const version = file.bytes(base + 8, 1)[0]!;
    // End-of-file address: superblock 0 and 1 keep it after four and six fixed bytes more, 2 and 3 right after the flags.
    const sizeOfOffsets = file.bytes(base + (version < 2 ? 13 : 9), 1)[0]!;
    if (sizeOfOffsets !== 8) return;
    const at = base + (version === 0 ? 24 : version === 1 ? 28 : 12) + 16;
    const end = Number(file.bytes(at, 8).readBigUInt64LE(0)) + base;
    if (end > file.size) {
      throw new FormatError(`the NetCDF file is cut short: it should have ${end} bytes and has ${file.size}`, {
        where: path,
        hint: "the download or copy was interrupted; fetch the file again",
      });
    }
  });
}

function shortReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n").filter(Boolean).at(-1)?.trim() ?? "unknown reason";
}

/** More than any file has; HDF5 lets a group contain itself. */
const deepestGroup = 16;

function* datasetsOf(
  group: H5Group,
  path: string,
  prefix = "",
  depth = 0,
): Generator<{ name: string; dataset: H5Dataset }> {
  if (depth > deepestGroup) {
    throw new FormatError(`the groups of the HDF5 file lie more than ${deepestGroup} deep: one contains itself`, {
      where: `${path}, group ${prefix.slice(0, 60)}…`,
    });
  }
  for (const key of group.keys()) {
    const entity = group.get(key);
    if (entity instanceof h5wasm.Dataset) yield { name: prefix + key.replace(/^_nc4_non_coord_/, ""), dataset: entity };
    // What a soft link leads to has a place of its own.
    else if (entity instanceof h5wasm.Group && !group.get_link(`/${prefix}${key}`))
      yield* datasetsOf(entity, path, `${prefix}${key}/`, depth + 1);
  }
}

function isBareDimension(dataset: H5Dataset): boolean {
  const name = dataset.attrs.NAME?.value;
  return typeof name === "string" && name.startsWith(bareDimension);
}

/** The name of an axis: of the scale attached to it, its own when it is a scale, else made up from its size. */
function dimensionName(dataset: H5Dataset, name: string, axis: number, size: number): string {
  const scale = dataset.attrs.DIMENSION_LIST ? dataset.get_attached_scales(axis)[0] : undefined;
  if (scale) return scale.replace(/^\//, "");
  const isScale = dataset.attrs.CLASS?.value === "DIMENSION_SCALE";
  return isScale && axis === 0 ? name : `phony_dim_${size}`;
}

function attributesOf(owner: H5Dataset | H5Group): Record<string, AttributeValue> {
  const out: Record<string, AttributeValue> = {};
  for (const [name, attribute] of Object.entries(owner.attrs)) {
    if (hidden.has(name)) continue;
    // A type that h5wasm cannot convert (compounds of its own making) must not make the data unreadable.
    try {
      const value = toAttribute(attribute.value);
      if (value !== undefined) out[name] = value;
    } catch {}
  }
  return out;
}

function toAttribute(value: unknown): AttributeValue | undefined {
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  if (ArrayBuffer.isView(value)) {
    const numbers = Array.from(value as unknown as ArrayLike<number | bigint>, Number);
    return numbers.length === 1 ? numbers[0]! : numbers;
  }
  if (Array.isArray(value) && value.every((v) => typeof v === "string")) {
    return value.length === 1 ? (value[0] as string) : (value as string[]);
  }
  return undefined; // references and compounds mean nothing outside HDF5
}

function elementType(dataset: H5Dataset): ElementType {
  const { type, size, signed } = dataset.metadata;
  if (type === 0) return `${signed ? "" : "u"}int${size * 8}` as ElementType;
  if (type === 1 && (size === 4 || size === 8)) return size === 4 ? "float32" : "float64";
  if (type === 3) return size === 1 && !dataset.metadata.vlen ? "char" : "string";
  if (type === 8) return "int8"; // enumerations, mostly booleans
  return "other";
}

function variable(
  path: string,
  name: string,
  dataset: H5Dataset,
  dimensions: readonly string[],
  shape: readonly number[],
  guarded: <T>(what: string, action: () => T) => T,
): NetcdfVariable {
  // Along an unlimited dimension a variable may be stored shorter than the dimension is; the rest was never written.
  const storedShape = dataset.metadata.shape ?? [];
  const attributes = attributesOf(dataset);
  const type = elementType(dataset);

  const read = (start?: readonly number[], count?: readonly number[]): NumericArray => {
    if (type === "string" || type === "char" || type === "other") {
      throw new DataError(`"${name}" does not hold numbers`, { where: path });
    }
    const block = blockOf(name, shape, start, count);
    const filters = dataset.filters.map((f) => f.name).join(", ");
    const what = `variable "${name}" cannot be decoded${filters ? ` (filters: ${filters})` : ""}`;
    const stored = block.count.map((n, i) => Math.max(0, Math.min(n, storedShape[i]! - block.start[i]!)));
    if (stored.some((n, i) => n < block.count[i]!)) return padded(block.start, block.count, stored);
    return guarded(what, () => {
      if (block.size === 0) return new Float64Array(0);
      const value =
        shape.length === 0
          ? dataset.value
          : dataset.slice(block.start.map((from, i) => [from, from + block.count[i]!] as [number, number]));
      if (typeof value === "number") return Float64Array.of(value);
      if (typeof value === "bigint") return BigInt64Array.of(value);
      if (ArrayBuffer.isView(value)) return value as NumericArray;
      throw new FormatError(what, { where: path });
    });
  };

  /** A block of which only the first `stored` of `count` are in the file. */
  const padded = (start: readonly number[], count: readonly number[], stored: readonly number[]): NumericArray => {
    const fill = typeof attributes._FillValue === "number" ? attributes._FillValue : (defaultFill[type] ?? 0);
    const part = stored.includes(0) ? undefined : read(start, stored);
    const size = count.reduce((product, n) => product * n, 1);
    const Numbers = (part?.constructor ?? (type === "float32" ? Float32Array : Float64Array)) as new (
      n: number,
    ) => NumericArray;
    const out = new Numbers(size);
    const wide = out instanceof BigInt64Array || out instanceof BigUint64Array;
    (out as Float64Array).fill((wide ? BigInt(fill) : fill) as number);
    let at = 0;
    const origin = count.map(() => 0);
    for (const [offset, length] of runsOf(count, blockOf(name, count, origin, stored))) {
      (out as Float64Array).set(part!.subarray(at, at + length) as Float64Array, offset);
      at += length;
    }
    return out;
  };

  const readText = (): string[] => {
    if (type !== "string" && type !== "char")
      throw new DataError(`"${name}" holds numbers (${type}), not text`, { where: path });
    const value = guarded(`variable "${name}" cannot be decoded`, () => dataset.value);
    const texts = Array.isArray(value) ? value.map(String) : [String(value)];
    const width = shape.at(-1) ?? 1;
    if (type === "string" || shape.length === 0) return texts;
    return Array.from({ length: texts.length / width }, (_, i) => texts.slice(i * width, (i + 1) * width).join(""));
  };

  const chunkShape = dataset.metadata.chunks ?? undefined;
  return { name, type, dimensions, shape, attributes, chunkShape, read, readText };
}

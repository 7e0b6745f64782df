// Opening GRIB files (editions 1 and 2): an index of all fields from their headers, values on demand.
// Not here: which variable a field is for Foehn (sources/grib-source.ts), and writing.

import { DataError, FormatError } from "../../core/errors.js";
import { type AnyGrid, describeAnyGrid } from "../../grid/any-grid.js";
import type { Grid } from "../../grid/grid.js";
import { type ByteReader, memoryReader, withFile } from "../byte-reader.js";
import { GribHandle } from "./eccodes.js";
import { type Geometry, type GeometryCache, geometryKey, geometryOf } from "./geometry.js";
import { dataTimeOf, type Product, type ProductCache, productOf } from "./product.js";
import { type FieldLocation, fieldMessage, scanGrib, sectionBytes, whereOf } from "./scan.js";

/** One field of a GRIB file, described but not decoded. */
export interface GribMessage extends Product {
  readonly edition: 1 | 2;
  /** Position among the fields of the file, from 0. */
  readonly index: number;
  /** Byte range of the message that holds the field. */
  readonly offset: number;
  readonly length: number;
  /** Reference time (analysis or start of the forecast), epoch seconds. */
  readonly dataTime: number;
  /** Time at which the value holds, or the end of its interval, epoch seconds. */
  readonly validTime: number;
  /** `grid_simple`, `grid_ccsds`, `grid_jpeg`…, as ecCodes names them. */
  readonly packingType: string;
  /** Equal for fields on the same grid of this file. */
  readonly gridKey: string;
}

/** An open GRIB file, or messages in memory. It holds no file descriptor; `close` drops its caches. */
export interface GribFile extends Disposable {
  readonly path: string;
  readonly messages: readonly GribMessage[];
  /**
   * The grid of a field.
   * @throws DataError when it is not a regular grid
   */
  gridOf(message: GribMessage): Grid;
  /** The grid of a field, of any kind. @throws DataError when nobody can say where its values lie */
  anyGridOf(message: GribMessage): AnyGrid;
  /**
   * Decodes one field: in the order of its grid's points, for a regular grid row-major (lat, lon), north to south, west to east;
   * missing is NaN.
   * @throws FormatError when the message cannot be decoded; DataError as `anyGridOf`
   */
  readValues(message: GribMessage): Float32Array;
  close(): void;
}

/** Far outside every physical range, and exact in single and double precision: what ecCodes is told to put where a bitmap says missing. */
const missing = -(2 ** 120);

/**
 * Indexes a GRIB file.
 * @throws StorageError when it cannot be opened; FormatError when it is empty, foreign, truncated or damaged (with the message
 * and its byte offset); ConfigError when ecCodes is not installed
 */
export function openGrib(path: string): GribFile {
  return indexGrib(path, (use) => withFile(path, use));
}

/**
 * Indexes GRIB messages in memory, such as a part of a remote file. The bytes are not copied and must not change.
 * @param name stands for the path in errors
 * @throws as `openGrib`
 */
export function openGribBytes(bytes: Uint8Array, name: string): GribFile {
  return indexGrib(name, (use) => use(memoryReader(bytes, name)));
}

function indexGrib(path: string, withBytes: <T>(use: (file: ByteReader) => T) => T): GribFile {
  const locations: FieldLocation[] = [];
  const geometries: GeometryCache = new Map();
  const messages = withBytes((file) => {
    const products: ProductCache = new Map();
    const keys = new Map<string, string>();
    return scanGrib(file).map((location, index): GribMessage => {
      locations.push(location);
      const product = productOf(file, location, products);
      const dataTime = dataTimeOf(file, location);
      const gridKey = geometryKey(file, location);
      return {
        ...product,
        edition: location.edition,
        index,
        offset: location.offset,
        length: location.length,
        dataTime,
        validTime: dataTime + product.stepSeconds,
        packingType: packingOf(sectionBytes(file, location, location.edition === 1 ? 4 : 5, 11), location.edition),
        gridKey: intern(keys, gridKey),
      };
    });
  });
  let scratch = new Float64Array(0);

  const geometryFor = (message: GribMessage): Geometry =>
    geometries.get(message.gridKey) ??
    withBytes((file) => geometryOf(file, locations[message.index]!, message.gridKey, geometries));

  const readValues = (message: GribMessage): Float32Array => {
    const location = locations[message.index]!;
    const where = `${whereOf(path, location)} (${message.shortName}, ${message.packingType})`;
    const bytes = withBytes((file) => {
      if (location.offset + location.length > file.size) {
        throw new FormatError("the file has become shorter since it was opened", { where });
      }
      return fieldMessage(file, location);
    });
    const geometry = geometryFor(message);
    using handle = new GribHandle(bytes, where);
    const { points } = geometry;
    const size = handle.size("values");
    if (size !== points) {
      throw new FormatError(`the GRIB message has ${size} values for a grid of ${points} points`, { where });
    }
    if (scratch.length !== size) scratch = new Float64Array(size);
    handle.setDouble("missingValue", missing);
    handle.doublesInto("values", scratch);
    // The conversion of a whole array is native; `missing` survives the rounding to single precision.
    const values = new Float32Array(scratch);
    for (let i = values.indexOf(missing); i >= 0; i = values.indexOf(missing, i + 1)) values[i] = Number.NaN;
    return geometry.arrange(values);
  };

  const close = (): void => {
    geometries.clear();
    scratch = new Float64Array(0);
  };
  const anyGridOf = (message: GribMessage): AnyGrid => geometryFor(message).grid;
  const gridOf = (message: GribMessage): Grid => {
    const grid = anyGridOf(message);
    if (grid.kind === "latlon") return grid;
    throw new DataError(`the field's grid is not one of latitudes and longitudes: ${describeAnyGrid(grid)}`, {
      where: whereOf(path, locations[message.index]!),
      hint: "regrid the data: --regrid bilinear or nearest (in code: openSource(…, { regrid }))",
    });
  };
  return { path, messages, gridOf, anyGridOf, readValues, close, [Symbol.dispose]: close };
}

/** One string object per distinct grid, so that a long index does not keep a copy per field. */
function intern(known: Map<string, string>, key: string): string {
  const found = known.get(key);
  if (found !== undefined) return found;
  known.set(key, key);
  return key;
}

const packings: Readonly<Record<number, string>> = {
  0: "grid_simple",
  2: "grid_complex",
  3: "grid_complex_spatial_differencing",
  4: "grid_ieee",
  40: "grid_jpeg",
  41: "grid_png",
  42: "grid_ccsds",
  61: "grid_simple_log_preprocessing",
  200: "grid_run_length",
  40000: "grid_jpeg",
  40010: "grid_png",
};

/** The packing's name from the data (GRIB 1) or data representation (GRIB 2) section. */
function packingOf(section: Buffer, edition: 1 | 2): string {
  if (edition === 2) {
    const template = section.readUInt16BE(9);
    return packings[template] ?? `template 5.${template}`;
  }
  const flags = section[3]!;
  if (flags & 0x80) return "spectral";
  return flags & 0x40 ? "grid_second_order" : "grid_simple";
}

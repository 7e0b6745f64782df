// Opening NetCDF files of any kind: classic, 64-bit offset and CDF-5 by our own reader, NetCDF-4 (and plain HDF5) by h5wasm.
// Both give the same interface. Values come as stored; unpack.ts turns packed values into physical ones.

import { FormatError } from "../../core/errors.js";
import { withFile } from "../byte-reader.js";
import type { AttributeValue, LabelledArray, NumericArray } from "../labelled-arrays.js";
import { openNetcdf3 } from "./netcdf3-read.js";

/** A dimension. */
export interface NetcdfDimension {
  readonly name: string;
  readonly size: number;
  /** True when the file can grow along it. */
  readonly unlimited: boolean;
}

/** A variable; reading is synchronous. */
export interface NetcdfVariable extends LabelledArray {
  read(start?: readonly number[], count?: readonly number[]): NumericArray;
  /** The texts of a `char` (last dimension joined) or `string` variable. @throws DataError for numbers */
  readText(): string[];
}

/** An open NetCDF file. */
export interface NetcdfFile extends Disposable {
  readonly path: string;
  readonly format: "classic" | "64-bit offset" | "64-bit data" | "NetCDF-4";
  readonly dimensions: readonly NetcdfDimension[];
  /** In the order of the file. Variables of groups are named with their path: `group/name`. */
  readonly variables: readonly NetcdfVariable[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  close(): void;
}

/**
 * Opens a NetCDF file for reading.
 * @throws StorageError when it cannot be opened; FormatError when it is empty, foreign, truncated or damaged
 */
export async function openNetcdf(path: string): Promise<NetcdfFile> {
  const kind = withFile(path, (file) => {
    if (file.size === 0) {
      throw new FormatError("the file is empty", { where: path, hint: "the download may have failed; fetch it again" });
    }
    const magic = file.bytes(0, Math.min(4, file.size)).toString("latin1");
    return magic.startsWith("CDF") ? "classic" : "hdf5";
  });
  if (kind === "classic") return openNetcdf3(path);
  // The WebAssembly build of HDF5 is several megabytes: only files that need it load it.
  return (await import("./hdf5-read.js")).openHdf5(path);
}

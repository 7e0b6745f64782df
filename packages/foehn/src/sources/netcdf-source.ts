// A source over one or many NetCDF files, joined over time and variables.

import { type NetcdfFile, openNetcdf } from "../io/netcdf/read.js";
import { type CfSourceOptions, cfSource } from "./cf-source.js";
import type { Source } from "./source.js";

/**
 * Opens NetCDF files as one source.
 * @throws as `openNetcdf` and `cfSource`; files already opened are closed
 */
export async function netcdfSource(paths: readonly string[], options: CfSourceOptions = {}): Promise<Source> {
  const files: NetcdfFile[] = [];
  try {
    for (const path of paths) files.push(await openNetcdf(path));
    return await cfSource("NetCDF", files, options);
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

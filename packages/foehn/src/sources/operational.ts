// The operational archives for callers of the library: by their text (`gfs:…`, `ecmwf:…`, `cds:…`) or by options. What reads them (and
// ecCodes with it) is loaded when the first one is opened.

import type { CdsOptions } from "./cds.js";
import type { EcmwfOptions } from "./ecmwf.js";
import type { GfsOptions } from "./gfs.js";
import type { RemoteOptions } from "./remote-grib.js";
import type { RemoteGribOptions } from "./remote-grib-source.js";
import type { Source } from "./source.js";

/** What applies to all of them. */
export interface OperationalOptions extends RemoteOptions {
  /** Ensemble member, where there are several. */
  readonly member?: number;
  /** In place of the global `fetch`, for stores that are asked by other than plain reading (cds). */
  readonly fetch?: CdsOptions["fetch"];
  /** Initial time (epoch seconds) of the only forecast to take. */
  readonly run?: number;
}

/**
 * Opens an archive by its text.
 * @throws UsageError for a wrong text; DataError, NetworkError as the archive's own opening
 */
export async function openOperational(spec: string, options: OperationalOptions = {}): Promise<Source> {
  switch (spec.split(":")[0]) {
    case "gfs":
      return (await import("./gfs.js")).openGfs(spec, options);
    case "cds": {
      const { cache, signal, offline, fetch } = options;
      return (await import("./cds.js")).openCds(spec, { cache, signal, offline, fetch });
    }
    default:
      return (await import("./ecmwf.js")).openEcmwf(spec, options);
  }
}

/**
 * NOAA's GFS, analyses and forecasts, in the catalogue's variables and units.
 * @throws UsageError for times that are no runs; DataError when nothing is there; NetworkError
 */
export async function gfsSource(options: GfsOptions, remote?: RemoteOptions): Promise<Source> {
  return (await import("./gfs.js")).gfsSource(options, remote);
}

/**
 * ECMWF's open data, IFS and AIFS, in the catalogue's variables and units.
 * @throws UsageError for times that are no runs; DataError when nothing is there; NetworkError
 */
export async function ecmwfSource(options: EcmwfOptions, remote?: RemoteOptions): Promise<Source> {
  return (await import("./ecmwf.js")).ecmwfSource(options, remote);
}

/**
 * ERA5 from the Climate Data Store; nothing is asked for before the first `read`.
 * @throws UsageError for times that ERA5 does not have
 */
export async function cdsSource(options?: CdsOptions): Promise<Source> {
  return (await import("./cds.js")).cdsSource(options);
}

/**
 * GRIB files at addresses as one source, read field by field.
 * @throws DataError, FormatError, NetworkError
 */
export async function remoteGribSource(urls: readonly string[], options?: RemoteGribOptions): Promise<Source> {
  return (await import("./remote-grib-source.js")).remoteGribSource(urls, options);
}

// Opens an operational archive by its text: `gfs:…` (gfs.ts), `ecmwf:…` (ecmwf.ts), `cds:…` (cds.ts).

import { type CdsOptions, openCds } from "./cds.js";
import { openEcmwf } from "./ecmwf.js";
import { openGfs } from "./gfs.js";
import type { RemoteOptions } from "./remote-grib.js";
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
 * Opens an archive.
 * @throws UsageError for a wrong text; DataError, NetworkError as the archive's own opening
 */
export async function openOperational(spec: string, options: OperationalOptions = {}): Promise<Source> {
  const scheme = spec.split(":")[0];
  if (scheme === "gfs") return openGfs(spec, options);
  if (scheme === "cds") {
    const { cache, signal, offline, fetch } = options;
    return openCds(spec, { cache, signal, offline, fetch });
  }
  return openEcmwf(spec, options);
}

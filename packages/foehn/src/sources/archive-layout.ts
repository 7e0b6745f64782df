// How an archive of forecasts is laid out: one GRIB file with an index beside it for each run and step. GFS (gfs.ts) and ECMWF's open data
// (ecmwf.ts) are two. Reading is in archive-file.ts, the source over it in forecast-archive.ts.

import type { GribMessage } from "../io/grib/read.js";
import type { VariableDefinition } from "../variables/catalogue.js";

/** A forecast of a run for a step, seconds. */
export interface ArchiveSlot {
  readonly run: number;
  readonly step: number;
}

/** Where a variable lies in a file, and how its values become the catalogue's units. */
export interface ArchivedField {
  readonly definition: VariableDefinition;
  readonly offset: number;
  readonly length: number | undefined;
  /** Number of the field in its message, from 1. */
  readonly field: number;
  /** How the message differs from this variable; times are checked by the archive. */
  readonly differs: (message: GribMessage) => string | undefined;
  /** Value in the catalogue's units = value × factor + offset. */
  readonly convert: (message: GribMessage) => { readonly factor: number; readonly offset: number };
}

/** How an archive is laid out. */
export interface ArchiveLayout {
  /** For people: `GFS 0p25 (https://…)`. */
  readonly label: string;
  /** Addresses where the file of a run (epoch seconds) and step (seconds) may be, the likeliest first. */
  files(run: number, step: number): readonly string[];
  /** Address of a file's index. */
  indexOf(file: string): string;
  /** The variables of an index by catalogue name. @throws FormatError */
  fieldsOf(text: string, where: string, run: number, step: number): Map<string, ArchivedField>;
  /** Seconds between runs. */
  readonly cycle: number;
  /** What to do when a file is not there: how long the server keeps its data, where older ones are. */
  readonly missingHint: string;
}

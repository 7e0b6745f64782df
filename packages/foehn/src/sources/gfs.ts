// NOAA's Global Forecast System as a source: analyses and forecasts, field by field, from the open-data bucket, NOMADS or a mirror.
// Layout: https://registry.opendata.aws/noaa-gfs-bdp-pds/, https://nomads.ncep.noaa.gov. Which field is which variable is in
// grib-index/ncep-parameters.ts.

import { FormatError } from "../core/errors.js";
import { formatTime } from "../core/time.js";
import type { ArchivedField, ArchiveLayout } from "./archive-layout.js";
import { archiveSlots, type RunsAndSteps, runsAndSteps } from "./archive-slots.js";
import { openForecastArchive } from "./forecast-archive.js";
import { parseNcepIndex, parseNcepStep } from "./grib-index/ncep-index.js";
import { ncepVariables } from "./grib-index/ncep-parameters.js";
import type { RemoteOptions } from "./remote-grib.js";
import type { Source } from "./source.js";
import { oneOf, parseSourceSpec } from "./source-spec.js";

const hour = 3600;
const cycle = 6 * hour;

/** Servers by name, and what they keep. `FOEHN_GFS_URL` or `server=https://…` names another one with the same layout. */
const servers = {
  aws: { url: "https://noaa-gfs-bdp-pds.s3.amazonaws.com", keeps: "this server has runs from 2021-01-01 on" },
  google: {
    url: "https://storage.googleapis.com/global-forecast-system",
    keeps: "this server has runs from 2021-01-01 on",
  },
  nomads: {
    url: "https://nomads.ncep.noaa.gov/pub/data/nccf/com/gfs/prod",
    keeps: "NOMADS keeps the last 10 days; server=aws has runs from 2021 on",
  },
} as const;

/** Which forecasts to open: `runs` with `steps` (default 0, the analysis), or `times`. */
export interface GfsOptions extends RunsAndSteps {
  /** `aws` (default), `google`, `nomads`, or an address with the same layout. */
  readonly server?: string | undefined;
  readonly resolution?: "0p25" | "0p50" | "1p00" | undefined;
  /** NCEP's reduction to sea level that is `msl`; default PRMSL. */
  readonly msl?: "PRMSL" | "MSLET" | undefined;
}

const keys = ["date", "steps", "times", "fallback", "server", "resolution", "msl"];

/**
 * Opens `gfs:key=value,…`: `date` (runs: one, a list, or `a/to/b/by/12h`) with `steps` (hours: `0/to/48/by/6`), or `times` for
 * analyses; `fallback=12h`, `server=aws|google|nomads|https://…`, `resolution=0p25|0p50|1p00`, `msl=PRMSL|MSLET`.
 * Without `date` and `times`: the analyses of the last ten days.
 * @throws UsageError for a wrong spec; as `gfsSource`
 */
export async function openGfs(spec: string, options: RemoteOptions & { readonly run?: number } = {}): Promise<Source> {
  const given = parseSourceSpec(spec, keys);
  return gfsSource(
    {
      ...runsAndSteps(given, options.run),
      server: given.get("server"),
      resolution: oneOf(given.get("resolution"), ["0p25", "0p50", "1p00"], "resolution", spec),
      msl: oneOf(given.get("msl"), ["PRMSL", "MSLET"], "msl", spec),
    },
    options,
  );
}

/**
 * Opens GFS forecasts. Variables have the catalogue's names and units (`HGT` is given as geopotential, `z500`). A run that is not there
 * is found out when it is read. `FieldRequest.run` names a run by its time (`2024-01-01T00`); it is needed where several reach the same time.
 * @throws UsageError for times that are no runs; DataError when nothing is there; NetworkError
 */
export async function gfsSource(options: GfsOptions, remote: RemoteOptions = {}): Promise<Source> {
  const resolution = options.resolution ?? "0p25";
  const { url, keeps } = serverOf(options.server);
  const layout: ArchiveLayout = {
    label: `GFS ${resolution} from ${url}`,
    cycle,
    missingHint: `a run is complete some 4 hours after its time; ${keeps}; fallback=12h takes an earlier run`,
    indexOf: (file) => `${file}.idx`,
    files: (run, step) => {
      const stamp = formatTime(run).replaceAll(/[-:]/g, "");
      const [day, hh] = [stamp.slice(0, 8), stamp.slice(9, 11)];
      const name = `gfs.t${hh}z.pgrb2.${resolution}.f${String(step / hour).padStart(3, "0")}`;
      const paths = [`${url}/gfs.${day}/${hh}/atmos/${name}`, `${url}/gfs.${day}/${hh}/${name}`];
      // The folder `atmos` came with version 16, on 22 March 2021.
      return run < Date.UTC(2021, 2, 22, 12) / 1000 ? paths.reverse() : paths.slice(0, 1);
    },
    fieldsOf: (text, where, run, step) => fieldsOf(text, where, run, step, options.msl ?? "PRMSL"),
  };
  return openForecastArchive(
    layout,
    { slots: archiveSlots(options, "gfs:", 10, 5 * hour), fallback: options.fallback },
    remote,
  );
}

function serverOf(server: string | undefined): { url: string; keeps: string } {
  const address = server ?? (process.env.FOEHN_GFS_URL || "aws");
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) {
    return { url: address.replace(/\/+$/, ""), keeps: "check which days this server keeps" };
  }
  return servers[oneOf(address, ["aws", "google", "nomads"], "server", "gfs:")];
}

function fieldsOf(
  text: string,
  where: string,
  run: number,
  step: number,
  msl: "PRMSL" | "MSLET",
): Map<string, ArchivedField> {
  const fields = new Map<string, ArchivedField>();
  for (const entry of parseNcepIndex(text, where)) {
    if (entry.dataTime !== run) {
      throw new FormatError(`the index is of the run ${formatTime(entry.dataTime)}, not ${formatTime(run)}`, { where });
    }
    if (parseNcepStep(entry.forecast)?.end !== step) continue;
    for (const variable of ncepVariables(entry, msl)) {
      const { definition, factor, offset, differs } = variable;
      // Two lines with the same words are the same field (accumulations over the first six hours come twice).
      if (fields.has(definition.name)) continue;
      fields.set(definition.name, {
        definition,
        offset: entry.offset,
        length: entry.length,
        field: entry.field,
        differs,
        convert: () => ({ factor, offset }),
      });
    }
  }
  return fields;
}

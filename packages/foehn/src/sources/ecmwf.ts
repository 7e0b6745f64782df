// ECMWF's open data as a source: forecasts of IFS and AIFS, field by field, from ECMWF's server or a mirror. Licence CC-BY-4.0.
// Layout: https://confluence.ecmwf.int/display/DAC/ECMWF+open+data%3A+real-time+forecasts+from+IFS+and+AIFS. Which field is which
// variable is in grib-index/ecmwf-parameters.ts.

import { UsageError } from "../core/errors.js";
import { formatTime } from "../core/time.js";
import type { ArchivedField, ArchiveLayout } from "./archive-layout.js";
import { archiveSlots, type RunsAndSteps, runsAndSteps } from "./archive-slots.js";
import { openForecastArchive } from "./forecast-archive.js";
import { parseEcmwfIndex } from "./grib-index/ecmwf-index.js";
import { ecmwfConversion, ecmwfDifference, ecmwfVariable } from "./grib-index/ecmwf-parameters.js";
import type { RemoteOptions } from "./remote-grib.js";
import type { Source } from "./source.js";
import { oneOf, parseSourceSpec } from "./source-spec.js";

const hour = 3600;
const cycle = 6 * hour;

/** Servers by name, and what they keep. `FOEHN_ECMWF_URL` or `server=https://…` names another one with the same layout. */
const servers = {
  aws: {
    url: "https://ecmwf-forecasts.s3.eu-central-1.amazonaws.com",
    keeps: "this server has runs from 2023-01-18 on",
  },
  ecmwf: {
    url: "https://data.ecmwf.int/forecasts",
    keeps: "ECMWF's server keeps the last two to three days; server=aws has runs from 2023 on",
  },
  google: { url: "https://storage.googleapis.com/ecmwf-open-data", keeps: "this server has runs from 2023 on" },
  azure: { url: "https://ai4edataeuwest.blob.core.windows.net/ecmwf", keeps: "check which days this server keeps" },
} as const;

/** Which forecasts to open: `runs` with `steps` (default 0), or `times` for the start fields. */
export interface EcmwfOptions extends RunsAndSteps {
  /** `aws` (default), `ecmwf`, `google`, `azure`, or an address with the same layout. */
  readonly server?: string | undefined;
  readonly model?: EcmwfModel | undefined;
  /** `oper` (the single forecast) or `enfo` (the ensemble). At 06 and 18 UTC `oper` is also found as `scda`, its older name. */
  readonly stream?: "oper" | "scda" | "enfo" | undefined;
  /** Ensemble member: 0 or left out is the control forecast, 1–50 are perturbed. Only with `enfo`. */
  readonly member?: number | undefined;
  /** Default: 0.25°, and 0.4° (`0p4-beta`) for runs before February 2024, which have nothing else. */
  readonly resolution?: "0p25" | "0p4-beta" | undefined;
}

/** The models of the archive. */
export type EcmwfModel = "ifs" | "aifs-single" | "aifs-ens";

const keys = ["date", "steps", "times", "fallback", "server", "model", "stream", "number", "resol"];

/**
 * Opens `ecmwf:key=value,…`: `date` (runs: one, a list, or `a/to/b/by/12h`) with `steps` (hours: `0/to/48/by/6`), or `times` for
 * start fields; `model=ifs|aifs-single|aifs-ens`, `stream=oper|enfo`, `number=0…50`, `fallback=12h`,
 * `server=aws|ecmwf|google|azure|https://…`, `resol=0p25|0p4-beta`. Without `date` and `times`: the start fields of the last two days.
 * @throws UsageError for a wrong spec; as `ecmwfSource`
 */
export async function openEcmwf(
  spec: string,
  options: RemoteOptions & { readonly run?: number; readonly member?: number } = {},
): Promise<Source> {
  const given = parseSourceSpec(spec, keys);
  const number = given.get("number");
  if (number !== undefined && !/^\d{1,3}$/.test(number)) {
    throw new UsageError(`number=${number} is not an ensemble member`, {
      where: spec,
      hint: "0 is the control forecast",
    });
  }
  const model = oneOf(given.get("model"), ["ifs", "aifs-single", "aifs-ens"], "model", spec);
  const stream = given.has("stream") ? oneOf(given.get("stream"), ["oper", "scda", "enfo"], "stream", spec) : undefined;
  const ensemble = stream === "enfo" || model === "aifs-ens";
  return ecmwfSource(
    {
      ...runsAndSteps(given, options.run),
      server: given.get("server"),
      model,
      stream,
      member: number !== undefined ? Number(number) : ensemble ? options.member : undefined,
      resolution: given.has("resol") ? oneOf(given.get("resol"), ["0p25", "0p4-beta"], "resol", spec) : undefined,
    },
    options,
  );
}

/**
 * Opens forecasts of ECMWF. Variables have the catalogue's names and units (`gh` is given as geopotential, `z500`). A run that is not
 * there is found out when it is read. `FieldRequest.run` names a run by its time; it is needed where several reach the same time.
 * @throws UsageError for times that are no runs or options that do not go together; DataError when nothing is there; NetworkError
 */
export async function ecmwfSource(options: EcmwfOptions, remote: RemoteOptions = {}): Promise<Source> {
  const model = options.model ?? "ifs";
  const stream = options.stream ?? (model === "aifs-ens" ? "enfo" : "oper");
  const ensemble = stream === "enfo";
  if ((model === "aifs-ens" && !ensemble) || (model === "aifs-single" && ensemble)) {
    throw new UsageError(`${model} has no stream ${stream}`, {
      where: "ecmwf:",
      hint: "aifs-single: oper; aifs-ens: enfo",
    });
  }
  if (options.member !== undefined && !ensemble) {
    throw new UsageError("number belongs to the ensemble", { where: "ecmwf:", hint: "add stream=enfo" });
  }
  const type = !ensemble ? "fc" : options.member ? "pf" : "cf";
  const { url, keeps } = serverOf(options.server);
  const member = ensemble ? ` member ${options.member ?? 0}` : "";
  const layout: ArchiveLayout = {
    label: `ECMWF ${model} ${stream}${member} from ${url}`,
    cycle,
    missingHint: `a run is complete some 8 hours after its time; ${keeps}; fallback=12h takes an earlier run`,
    indexOf: (file) => file.replace(/\.grib2$/, ".index"),
    files: (run, step) => ecmwfPaths({ ...options, model, stream }, type, run, step).map((path) => `${url}/${path}`),
    fieldsOf: (text, where, _run, step) => fieldsOf(text, where, step, type, options.member),
  };
  return openForecastArchive(
    layout,
    { slots: archiveSlots(options, "ecmwf:", 2, 9 * hour), fallback: options.fallback },
    remote,
  );
}

/**
 * Where the file of a run and step may be, below the server's address, the likeliest first: the layout changed over the years.
 * @param type `fc`, `cf`, `pf`
 */
export function ecmwfPaths(
  options: Pick<EcmwfOptions, "model" | "stream" | "resolution">,
  type: string,
  run: number,
  step: number,
): string[] {
  const stamp = formatTime(run).replaceAll(/[-:TZ]/g, "");
  const [day, hh] = [stamp.slice(0, 8), stamp.slice(8, 10)];
  const { model = "ifs", stream = "oper" } = options;
  const resolution = options.resolution ?? (run < Date.UTC(2024, 1, 1) / 1000 && model === "ifs" ? "0p4-beta" : "0p25");
  // IFS keeps control and perturbed members in one file, AIFS in two.
  const kind = model === "ifs" && stream === "enfo" ? "ef" : type;
  return foldersOf(model, resolution, run).flatMap((folder) =>
    streamsOf(model, stream, run).map((name) => {
      return `${day}/${hh}z/${folder}${name}/${day}${hh}0000-${step / hour}h-${name}-${kind}.grib2`;
    }),
  );
}

function foldersOf(model: EcmwfModel, resolution: string, run: number): string[] {
  if (model === "ifs") return run < Date.UTC(2024, 1, 28, 6) / 1000 ? [`${resolution}/`] : [`ifs/${resolution}/`];
  if (model === "aifs-ens") return [`aifs-ens/${resolution}/`];
  const now = `aifs-single/${resolution}/`;
  // AIFS became operational on 25 February 2025; before, it was published as an experiment under two other names.
  return run < Date.UTC(2025, 1, 26) / 1000 ? [now, `${now}experimental/`, `aifs/${resolution}/`] : [now];
}

/** Until cycle 50r1 of 2026 the 06 and 18 UTC runs of the single forecast were called `scda`. */
function streamsOf(model: EcmwfModel, stream: string, run: number): string[] {
  const short = (run / hour) % 12 === 6;
  if (stream === "enfo" || model !== "ifs" || !short) return [stream === "scda" ? "oper" : stream];
  return run < Date.UTC(2026, 4, 1) / 1000 ? ["scda", "oper"] : ["oper", "scda"];
}

function serverOf(server: string | undefined): { url: string; keeps: string } {
  const address = server ?? (process.env.FOEHN_ECMWF_URL || "aws");
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) {
    return { url: address.replace(/\/+$/, ""), keeps: "check which days this server keeps" };
  }
  return servers[oneOf(address, ["aws", "ecmwf", "google", "azure"], "server", "ecmwf:")];
}

function fieldsOf(
  text: string,
  where: string,
  step: number,
  type: string,
  member: number | undefined,
): Map<string, ArchivedField> {
  const fields = new Map<string, ArchivedField>();
  for (const entry of parseEcmwfIndex(text, where)) {
    // An interval ends at the step: `0-24`.
    if (Number(entry.step.split("-").at(-1)) * hour !== step || entry.type !== type) continue;
    if (type === "pf" && entry.number !== member) continue;
    const definition = ecmwfVariable(entry);
    if (!definition || fields.has(definition.name)) continue;
    fields.set(definition.name, {
      definition,
      offset: entry.offset,
      length: entry.length,
      field: 1,
      differs: (message) => ecmwfDifference(entry, definition, message),
      convert: (message) => ecmwfConversion(message, definition),
    });
  }
  return fields;
}

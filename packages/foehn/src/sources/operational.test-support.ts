// For tests only: files as NCEP and ECMWF publish them, in small: real GRIB 2 messages with the index beside them. Every field has values
// of its own, so that a field in the wrong place shows.

import { formatTime } from "../core/time.js";
import { gribMessage } from "../io/grib/write.test-support.js";

/** Five rows, eight columns, round the Earth. */
export const shape = [5, 8] as const;
export const points = shape[0] * shape[1];
const hour = 3600;

/** A field of an NCEP file. */
export interface NcepField {
  readonly parameter: string;
  /** discipline, category, number. */
  readonly code: readonly [number, number, number];
  /** As the index writes it. */
  readonly level: string;
  /** Hours that an accumulation covers up to the step; an instant where left out. */
  readonly over?: number;
  /** Value at point k is base + k / 10. */
  readonly base: number;
}

const surfaces: readonly (readonly [RegExp, number])[] = [
  [/^surface$/, 1],
  [/^mean sea level$/, 101],
  [/^entire atmosphere \(considered/, 200],
  [/^entire atmosphere$/, 10],
];

/** The values of a field of this base. */
export function valuesOf(base: number): number[] {
  return Array.from({ length: points }, (_, k) => base + k / 10);
}

/** An NCEP file and its `.idx`. */
export function ncepFile(fields: readonly NcepField[], run: number, step: number): { grib: Buffer; idx: string } {
  const messages = fields.map((field) => ncepMessage(field, run, step));
  return { grib: Buffer.concat(messages), idx: ncepIdx(fields, messages, run, step) };
}

const made = new Map<string, Buffer>();

/** One message; the same one again when it was made before. */
export function ncepMessage(field: NcepField, run: number, step: number): Buffer {
  const key = JSON.stringify([field, run, step]);
  const message = made.get(key) ?? makeNcepMessage(field, run, step);
  made.set(key, message);
  return message;
}

function makeNcepMessage(field: NcepField, run: number, step: number): Buffer {
  const [discipline, category, number] = field.code;
  const pressure = /^(\d+) mb$/.exec(field.level);
  const height = /^(\d+) m above ground$/.exec(field.level);
  const surface = pressure ? 100 : height ? 103 : surfaces.find(([pattern]) => pattern.test(field.level))![1];
  const value = pressure ? Number(pressure[1]) * 100 : Number(height?.[1] ?? 0);
  const h = step / hour;
  return gribMessage({
    shortName: "t",
    typeOfLevel: "surface",
    level: 0,
    time: run,
    lat0: 90,
    lon0: 0,
    spacing: 45,
    shape,
    values: Float64Array.from(valuesOf(field.base)),
    keys: [
      ["centre", 7],
      ["discipline", discipline],
      ...(field.over === undefined ? [] : ([["productDefinitionTemplateNumber", 8]] as const)),
      ["parameterCategory", category],
      ["parameterNumber", number],
      ["typeOfFirstFixedSurface", surface],
      ["scaleFactorOfFirstFixedSurface", 0],
      ["scaledValueOfFirstFixedSurface", value],
      ...(field.over === undefined
        ? ([["step", h]] as const)
        : ([
            ["typeOfStatisticalProcessing", 1],
            ["stepRange", `${h - field.over}-${h}`],
          ] as const)),
    ],
  });
}

function ncepIdx(fields: readonly NcepField[], messages: readonly Buffer[], run: number, step: number): string {
  const date = formatTime(run)
    .replaceAll(/[-:TZ]/g, "")
    .slice(0, 10);
  const h = step / hour;
  let offset = 0;
  const lines = fields.map((field, i) => {
    const days =
      h % 24 === 0 && field.over === h ? `0-${h / 24} day acc fcst` : `${h - (field.over ?? 0)}-${h} hour acc fcst`;
    const forecast = field.over !== undefined ? days : h === 0 ? "anl" : `${h} hour fcst`;
    const line = `${i + 1}:${offset}:d=${date}:${field.parameter}:${field.level}:${forecast}:`;
    offset += messages[i]!.length;
    return line;
  });
  return `${lines.join("\n")}\n`;
}

/** A field of an ECMWF file. */
export interface EcmwfField {
  readonly param: string;
  readonly levtype: "sfc" | "pl" | "sol";
  readonly levelist?: number;
  readonly number?: number;
  /** What ecCodes is told before the short name, such as the template of accumulations. */
  readonly keys?: readonly (readonly [string, number | string])[];
  readonly base: number;
}

/** An ECMWF file and its `.index`. */
export function ecmwfFile(
  fields: readonly EcmwfField[],
  run: number,
  step: number,
  stream = "oper",
  type = "fc",
): { grib: Buffer; index: string } {
  const stamp = formatTime(run).replaceAll(/[-:TZ]/g, "");
  const messages: Buffer[] = [];
  const lines: string[] = [];
  let offset = 0;
  for (const field of fields) {
    const kind = field.number === undefined ? type : "pf";
    const message = gribMessage({
      shortName: "t",
      typeOfLevel: field.levtype === "pl" ? "isobaricInhPa" : "surface",
      level: field.levelist ?? 0,
      time: run,
      lat0: 90,
      lon0: -180,
      spacing: 45,
      shape,
      values: Float64Array.from(valuesOf(field.base)),
      keys: [
        ["centre", "ecmf"],
        ...(field.number === undefined
          ? []
          : ([
              ["productDefinitionTemplateNumber", 1],
              ["number", field.number],
              ["numberOfForecastsInEnsemble", 51],
            ] as const)),
        ...(field.keys ?? []),
        ["shortName", field.param],
        ["step", step / hour],
      ],
    });
    const keys = {
      domain: "g",
      date: stamp.slice(0, 8),
      time: stamp.slice(8, 12),
      expver: "0001",
      class: "od",
      type: kind,
      stream,
      step: String(step / hour),
      levtype: field.levtype,
      ...(field.levelist === undefined ? {} : { levelist: String(field.levelist) }),
      ...(field.number === undefined ? {} : { number: String(field.number) }),
      param: field.param,
      _offset: offset,
      _length: message.length,
    };
    lines.push(JSON.stringify(keys));
    messages.push(message);
    offset += message.length;
  }
  return { grib: Buffer.concat(messages), index: `${lines.join("\n")}\n` };
}

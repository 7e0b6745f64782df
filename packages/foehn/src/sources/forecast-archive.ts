// A source over an archive of forecasts: one GRIB file, with an index beside it, for each run and step, on a server. GFS and ECMWF's open
// data are such archives; what differs between them (names of files, indexes, variables) is an `ArchiveLayout`. Files are looked for
// when they are read, so that opening a year costs two small requests.

import { DataError, FormatError, isFoehnError } from "../core/errors.js";
import { formatDuration, formatTimeShort, parseTime } from "../core/time.js";
import { type AnyGrid, describeAnyGrid, sameAnyGrid } from "../grid/any-grid.js";
import { describeGrid, type Grid } from "../grid/grid.js";
import type { GribMessage } from "../io/grib/read.js";
import { publicUrl } from "../io/remote/public-url.js";
import type { VariableDefinition } from "../variables/catalogue.js";
import { RemoteGrib, type RemoteOptions } from "./remote-grib.js";
import { describeTimes, listShort, resolveTime, resolveVariable } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";

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

/** Which runs and steps an archive source gives. */
export interface ArchiveSelection {
  /** Runs and steps, in any order. */
  readonly slots: readonly ArchiveSlot[];
  /** When a file is not there: take the nearest earlier run whose step to the same time is at most this (seconds). Default: never. */
  readonly fallback?: number | undefined;
}

/** A forecast of a run for a step, seconds. */
export interface ArchiveSlot {
  readonly run: number;
  readonly step: number;
}

/** An opened file of the archive. */
interface OpenFile {
  readonly slot: ArchiveSlot;
  readonly grib: RemoteGrib;
  readonly fields: Map<string, ArchivedField>;
}

/** How many indexes stay in memory. */
const mostOpen = 24;

/**
 * Opens the archive. The variables are those of the index of one of the files, the grid is that of its smallest field.
 * @throws DataError when none of the files that were tried is there; NetworkError
 */
export async function openForecastArchive(
  layout: ArchiveLayout,
  selection: ArchiveSelection,
  options: RemoteOptions = {},
): Promise<Source> {
  const slots = [...selection.slots].sort((a, b) => a.run + a.step - (b.run + b.step) || a.step - b.step);
  if (slots.length === 0) throw new DataError("no run and no step was asked for", { where: layout.label });
  const times = [...new Set(slots.map((slot) => slot.run + slot.step))];
  const open = new Map<string, Promise<OpenFile | undefined>>();

  const openFile = (slot: ArchiveSlot): Promise<OpenFile | undefined> => {
    const key = `${slot.run} ${slot.step}`;
    let file = open.get(key);
    open.delete(key);
    file ??= findFile(layout, slot, options).catch((error) => {
      open.delete(key);
      throw error;
    });
    open.set(key, file);
    if (open.size > mostOpen) open.delete(open.keys().next().value!);
    return file;
  };

  /** The file of the first slot that is there. */
  const firstThere = async (candidates: readonly ArchiveSlot[]): Promise<OpenFile | undefined> => {
    for (const slot of candidates) {
      const file = await openFile(slot);
      if (file) return file;
    }
    return undefined;
  };

  const missing = (tried: readonly ArchiveSlot[]): DataError => {
    const { run, step } = tried[0]!;
    const more = tried.length > 1 ? `, nor ${tried.length - 1} earlier ones` : "";
    return new DataError(`the forecast of ${formatTimeShort(run)} for +${formatDuration(step)} is not there${more}`, {
      where: layout.files(run, step).map(publicUrl).join(" or "),
      hint: layout.missingHint,
    });
  };

  // A newest run may not be complete and an oldest one may be gone: look in the middle, then at both ends.
  const order = slots.length <= 2 ? slots : [slots[slots.length >> 1]!, slots[0]!, slots.at(-1)!];
  const probes = order.flatMap((slot) => withEarlier(slot, layout, selection));
  const probe = await firstThere(probes);
  if (!probe) throw missing(probes);
  const known = new Map(probe.fields);
  const homes = new Map([...known.keys()].map((name) => [name, probe]));
  // Fields that do not change may be in the first step only, accumulations in the later ones.
  const ofRun = slots.filter((slot) => slot.run === probe.slot.run);
  for (const slot of [ofRun[0], ofRun.at(-1)]) {
    const other = slot === undefined || slot.step === probe.slot.step ? undefined : await openFile(slot);
    for (const [name, field] of other?.fields ?? []) {
      if (!known.has(name)) known.set(name, field);
      if (!homes.has(name)) homes.set(name, other!);
    }
  }
  const variables = [...known.values()].map(({ definition }) => variableInfo(definition));
  const grid = await gridOf(probe, layout);
  const names = listShort(
    variables.map((v) => v.name),
    8,
  );
  const description = `${layout.label}: ${names}; ${describeTimes(times)}; ${describeGrid(grid)}`;

  const choose = (request: FieldRequest): ArchiveSlot[] => {
    const at = slots.filter((slot) => slot.run + slot.step === request.time);
    if (at.length === 0) resolveTime(request.time, times, layout.label);
    const runs = listShort(
      at.map((slot) => formatTimeShort(slot.run)),
      6,
    );
    if (request.run === undefined) {
      if (at.length === 1) return withEarlier(at[0]!, layout, selection);
      throw new DataError(`${at.length} forecasts reach ${formatTimeShort(request.time)}`, {
        where: layout.label,
        hint: `choose one with \`run\`, its initial time: ${runs}`,
      });
    }
    const run = parseTime(request.run);
    const own = at.find((slot) => slot.run === run);
    if (own) return [own];
    throw new DataError(`run ${request.run} does not reach ${formatTimeShort(request.time)}`, {
      where: layout.label,
      hint: `runs for that time: ${runs}`,
    });
  };

  return {
    description,
    variables,
    grid,
    times,
    timesOf(variable) {
      const { info } = resolveVariable(variable, variables, layout.label);
      if (known.get(info.name)?.definition.timeKind !== "accumulated") return times;
      return [...new Set(slots.filter((slot) => slot.step > 0).map((slot) => slot.run + slot.step))];
    },
    async read(request: FieldRequest): Promise<Field[]> {
      const found = request.variables.map((name) => resolveVariable(name, variables, layout.label));
      const tried = choose(request);
      const file = await firstThere(tried);
      if (!file) throw missing(tried);
      const wanted = found.map(({ info, factor }) => {
        const field = file.fields.get(info.name);
        const home = field === undefined && info.invariant ? homes.get(info.name) : file;
        const place = home?.fields.get(info.name);
        if (!home || !place) throw lacking(info.name, file, layout);
        return { info, factor, home, place };
      });
      const values = new Map<string, Float32Array>();
      for (const home of new Set(wanted.map((w) => w.home))) {
        const own = wanted.filter((w) => w.home === home);
        const decoded = await home.grib.read(own.map(({ place }) => wantedField(home.slot, place)));
        for (const [i, field] of decoded.entries()) {
          const { info, place } = own[i]!;
          if (!sameAnyGrid(field.grid, grid)) throw otherGrid(info.name, field.grid, grid, home.grib.url);
          values.set(info.name, converted(field.values, place.convert(field.message)));
        }
      }
      return wanted.map(({ info, factor }, i) => ({
        variable: request.variables[i]!,
        time: request.time,
        values: converted(values.get(info.name)!, { factor, offset: 0 }),
      }));
    },
    async close(): Promise<void> {
      open.clear();
    },
  };
}

/** A slot and, with a fall-back, the slots of earlier runs for the same time. */
function withEarlier(slot: ArchiveSlot, layout: ArchiveLayout, selection: ArchiveSelection): ArchiveSlot[] {
  const all = slot.run % layout.cycle === 0 ? [slot] : [];
  const time = slot.run + slot.step;
  const latest = Math.floor((slot.run - 1) / layout.cycle) * layout.cycle;
  for (let run = latest; time - run <= (selection.fallback ?? 0); run -= layout.cycle)
    all.push({ run, step: time - run });
  return all.length > 0 ? all : [slot];
}

async function findFile(
  layout: ArchiveLayout,
  slot: ArchiveSlot,
  options: RemoteOptions,
): Promise<OpenFile | undefined> {
  let unknown: Error | undefined;
  for (const url of layout.files(slot.run, slot.step)) {
    const grib = new RemoteGrib(url, options);
    try {
      if ((await grib.info()) === undefined) continue;
    } catch (error) {
      // Without a network nothing is known of names under which the file was not found before.
      if (!isFoehnError(error, "data")) throw error;
      unknown ??= error;
      continue;
    }
    const address = layout.indexOf(url);
    const fields = await grib.sidecar(address, (text, where) => layout.fieldsOf(text, where, slot.run, slot.step));
    if (fields === undefined) {
      throw new FormatError("the GRIB file has no index beside it", {
        where: publicUrl(address),
        hint: "the file may still be on its way to the server; try again in some minutes",
      });
    }
    return { slot, grib, fields };
  }
  if (unknown) throw unknown;
  return undefined;
}

function wantedField(slot: ArchiveSlot, field: ArchivedField) {
  const { run, step } = slot;
  return {
    offset: field.offset,
    length: field.length,
    field: field.field,
    label: `${field.definition.name} of ${formatTimeShort(run)} +${formatDuration(step)}`,
    differs: (message: GribMessage): string | undefined => {
      const other = field.differs(message);
      if (other !== undefined) return other;
      if (message.dataTime !== run) return `the run ${formatTimeShort(message.dataTime)}`;
      if (message.validTime !== run + step) return `the step +${formatDuration(message.validTime - run)}`;
      return undefined;
    },
  };
}

/** The smallest field is enough to know the grid. */
async function gridOf(file: OpenFile, layout: ArchiveLayout): Promise<Grid> {
  const size = (field: ArchivedField) => field.length ?? Number.POSITIVE_INFINITY;
  const smallest = [...file.fields.values()].sort((a, b) => size(a) - size(b))[0];
  if (!smallest) {
    throw new DataError("the index names no field that the catalogue of variables knows", {
      where: publicUrl(layout.indexOf(file.grib.url)),
    });
  }
  const grid = await file.grib.grid(wantedField(file.slot, smallest));
  if (grid.kind === "latlon") return grid;
  throw new DataError(`the fields are not on latitudes and longitudes: ${describeAnyGrid(grid)}`, {
    where: publicUrl(file.grib.url),
  });
}

function variableInfo(definition: VariableDefinition): VariableInfo {
  return {
    name: definition.name,
    units: definition.units,
    longName: definition.longName,
    ...(definition.standardName === undefined ? {} : { standardName: definition.standardName }),
    ...(definition.invariant ? { invariant: true } : {}),
  };
}

function lacking(name: string, file: OpenFile, layout: ArchiveLayout): DataError {
  const { run, step } = file.slot;
  return new DataError(`the forecast of ${formatTimeShort(run)} for +${formatDuration(step)} has no ${name}`, {
    where: publicUrl(layout.indexOf(file.grib.url)),
    hint: `accumulations begin after step 0. It has: ${listShort([...file.fields.keys()])}.`,
  });
}

function otherGrid(name: string, has: AnyGrid, expected: AnyGrid, url: string): DataError {
  return new DataError(`${name} lies on another grid: ${describeAnyGrid(has)}, not ${describeAnyGrid(expected)}`, {
    where: publicUrl(url),
    hint: "the archive changed its resolution: open the periods apart",
  });
}

function converted(values: Float32Array, { factor, offset }: { factor: number; offset: number }): Float32Array {
  return factor === 1 && offset === 0 ? values : values.map((x) => x * factor + offset);
}

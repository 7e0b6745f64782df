// A source over an archive of forecasts (archive-layout.ts): which file a time needs, which variables there are, what can be worked out of
// two files. Files are looked for when they are read, so that opening a year costs a few small requests.

import { DataError } from "../core/errors.js";
import { formatDuration, formatTimeShort, parseTime } from "../core/time.js";
import { describeGrid } from "../grid/grid.js";
import { publicUrl } from "../io/remote/public-url.js";
import { lookupVariable, type VariableDefinition } from "../variables/catalogue.js";
import { type ArchiveFile, findArchiveFile, gridOfArchiveFile, readArchiveFile } from "./archive-file.js";
import type { ArchiveLayout, ArchiveSlot } from "./archive-layout.js";
import type { RemoteOptions } from "./remote-grib.js";
import { describeTimes, listShort, resolveTime, resolveVariable, scaled } from "./resolve.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";

/** Which runs and steps an archive source gives. */
export interface ArchiveSelection {
  /** Runs and steps, in any order. */
  readonly slots: readonly ArchiveSlot[];
  /** When a file is not there: take the nearest earlier run whose step to the same time is at most this (seconds). Default: never. */
  readonly fallback?: number | undefined;
}

const sixHours = 6 * 3600;
/** Rain of the past six hours, which many models take. */
const past6h = lookupVariable("tp06")!;

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
  const open = new Map<string, Promise<ArchiveFile | undefined>>();

  const openAt = (slot: ArchiveSlot): Promise<ArchiveFile | undefined> => {
    const key = `${slot.run} ${slot.step}`;
    let file = open.get(key);
    open.delete(key);
    file ??= findArchiveFile(layout, slot, options).catch((error) => {
      open.delete(key);
      throw error;
    });
    open.set(key, file);
    if (open.size > mostOpen) open.delete(open.keys().next().value!);
    return file;
  };

  /** The file of the first slot that is there. */
  const firstThere = async (candidates: readonly ArchiveSlot[]): Promise<ArchiveFile | undefined> => {
    for (const slot of candidates) {
      const file = await openAt(slot);
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
    const other = slot === undefined || slot.step === probe.slot.step ? undefined : await openAt(slot);
    for (const [name, field] of other?.fields ?? []) {
      if (!known.has(name)) known.set(name, field);
      if (!homes.has(name)) homes.set(name, other!);
    }
  }
  const definitions = new Map([...known].map(([name, { definition }]) => [name, definition]));
  // Archives without it have the sums since the start of the forecast, whose difference it is.
  if (known.has("tp") && !known.has(past6h.name)) definitions.set(past6h.name, past6h);
  const variables = [...definitions.values()].map(variableInfo);
  const grid = await gridOfArchiveFile(probe, layout);
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
        hint: `choose one with \`run\` (--data-run), its initial time: ${runs}`,
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

  /** Variables at the time of a file; some lie in other files of the same archive. */
  const readNamed = async (file: ArchiveFile, names: readonly string[]): Promise<Map<string, Float32Array>> => {
    const wanted = new Map<ArchiveFile, string[]>();
    const derived = names.includes(past6h.name) && !file.fields.has(past6h.name);
    const sums = derived ? await sixHoursOf(file) : undefined;
    const plain = names.filter((name) => !(derived && name === past6h.name));
    for (const name of sums && !plain.includes("tp") ? [...plain, "tp"] : plain) {
      const home = file.fields.has(name) || !definitions.get(name)?.invariant ? file : homes.get(name);
      if (!home?.fields.has(name)) throw lacking(name, file, layout);
      wanted.set(home, [...(wanted.get(home) ?? []), name]);
    }
    const [earlier, ...parts] = await Promise.all([
      sums?.before ? readArchiveFile(sums.before, ["tp"], grid) : undefined,
      ...[...wanted].map(([home, own]) => readArchiveFile(home, own, grid)),
    ]);
    const values = new Map(parts.flatMap((part) => [...(part ?? [])]));
    const [total, sooner] = [values.get("tp"), earlier?.get("tp")];
    // Packing leaves differences of dry places a little below zero.
    const rain = total?.map((x, k) => Math.max(0, x - (sooner?.[k] ?? 0)));
    if (sums && rain) values.set(past6h.name, rain);
    return values;
  };

  /** What the rain of six hours is worked out of: this file and, unless the forecast began then, the one of six hours before. */
  const sixHoursOf = async (file: ArchiveFile): Promise<{ readonly before: ArchiveFile | undefined }> => {
    const { run, step } = file.slot;
    if (step < sixHours) throw lacking(past6h.name, file, layout);
    if (step === sixHours) return { before: undefined };
    const slot = { run, step: step - sixHours };
    const before = await openAt(slot);
    if (!before) throw missing([slot]);
    if (!before.fields.has("tp")) throw lacking("tp", before, layout);
    return { before };
  };

  return {
    description,
    variables,
    grid,
    times,
    timesOf(variable) {
      const { info } = resolveVariable(variable, variables, layout.label);
      if (definitions.get(info.name)?.timeKind !== "accumulated") return times;
      const least = info.name === past6h.name ? sixHours : 1;
      return [...new Set(slots.filter((slot) => slot.step >= least).map((slot) => slot.run + slot.step))];
    },
    async read(request: FieldRequest): Promise<Field[]> {
      const found = request.variables.map((name) => resolveVariable(name, variables, layout.label));
      const tried = choose(request);
      const file = await firstThere(tried);
      if (!file) throw missing(tried);
      const values = await readNamed(file, [...new Set(found.map(({ info }) => info.name))]);
      return found.map(({ info, factor }, i) => ({
        variable: request.variables[i]!,
        time: request.time,
        values: scaled(values.get(info.name)!, factor),
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

function variableInfo(definition: VariableDefinition): VariableInfo {
  return {
    name: definition.name,
    units: definition.units,
    longName: definition.longName,
    ...(definition.standardName === undefined ? {} : { standardName: definition.standardName }),
    ...(definition.invariant ? { invariant: true } : {}),
  };
}

function lacking(name: string, file: ArchiveFile, layout: ArchiveLayout): DataError {
  const { run, step } = file.slot;
  return new DataError(`the forecast of ${formatTimeShort(run)} for +${formatDuration(step)} has no ${name}`, {
    where: publicUrl(layout.indexOf(file.grib.url)),
    hint: `accumulations begin after step 0. It has: ${listShort([...file.fields.keys()])}.`,
  });
}

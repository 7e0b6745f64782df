// One file of an archive of forecasts: finding it under the names that it may have, its index, and reading variables out of it in the
// catalogue's units. Not here: which file a time needs (forecast-archive.ts).

import { DataError, FormatError, isFoehnError } from "../core/errors.js";
import { formatDuration, formatTimeShort } from "../core/time.js";
import { type AnyGrid, describeAnyGrid, sameAnyGrid } from "../grid/any-grid.js";
import type { Grid } from "../grid/grid.js";
import type { GribMessage } from "../io/grib/read.js";
import { publicUrl } from "../io/remote/public-url.js";
import type { ArchivedField, ArchiveLayout, ArchiveSlot } from "./archive-layout.js";
import { RemoteGrib, type RemoteOptions, type WantedField } from "./remote-grib.js";

/** A file that is there. */
export interface ArchiveFile {
  readonly slot: ArchiveSlot;
  readonly grib: RemoteGrib;
  /** What its index names, by the catalogue's names. */
  readonly fields: ReadonlyMap<string, ArchivedField>;
}

/**
 * Looks for the file of a run and step under each of its names; undefined when there is none.
 * @throws FormatError for a file without an index, or an index that cannot be read; NetworkError
 */
export async function findArchiveFile(
  layout: ArchiveLayout,
  slot: ArchiveSlot,
  options: RemoteOptions,
): Promise<ArchiveFile | undefined> {
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

function wantedField(slot: ArchiveSlot, field: ArchivedField): WantedField {
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

/**
 * The grid of a file, from its smallest field.
 * @throws DataError for an index that names no variable of the catalogue
 */
export async function gridOfArchiveFile(file: ArchiveFile, layout: ArchiveLayout): Promise<Grid> {
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

/**
 * Variables of the file, by name.
 * @throws DataError for a field on another grid; FormatError, NetworkError as `RemoteGrib.read`
 */
export async function readArchiveFile(
  file: ArchiveFile,
  names: readonly string[],
  grid: Grid,
): Promise<Map<string, Float32Array>> {
  const places = names.map((name) => file.fields.get(name)!);
  const decoded = await file.grib.read(places.map((place) => wantedField(file.slot, place)));
  const values = new Map<string, Float32Array>();
  for (const [i, field] of decoded.entries()) {
    if (!sameAnyGrid(field.grid, grid)) throw otherGrid(names[i]!, field.grid, grid, file.grib.url);
    const { factor, offset } = places[i]!.convert(field.message);
    const same = factor === 1 && offset === 0;
    values.set(names[i]!, same ? field.values : field.values.map((x) => x * factor + offset));
  }
  return values;
}

function otherGrid(name: string, has: AnyGrid, expected: AnyGrid, url: string): DataError {
  return new DataError(`${name} lies on another grid: ${describeAnyGrid(has)}, not ${describeAnyGrid(expected)}`, {
    where: publicUrl(url),
    hint: "the archive changed its resolution: open the periods apart",
  });
}

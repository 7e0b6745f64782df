// A forecast as one GRIB 2 file: a message for each field, ordered by date, member, lead and variable, whatever the order in which the
// forecasts come. Fields that stand for a period (precipitation) have the step before as its begin. Not here: the messages (io/grib/write.ts).

import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../../core/errors.js";
import { temporaryPath, toStorageError } from "../../core/files.js";
import { moveToFinalName, refuseExisting } from "../../io/final-name.js";
import { GribEncoder, type GribProcessing } from "../../io/grib/write.js";
import { lookupVariable } from "../../variables/catalogue.js";
import { conversion, sameUnits } from "../../variables/units.js";
import type { FileHeader } from "./cf-layout.js";
import type { ForecastOutput, ForecastStep } from "./output.js";

/** Options of `GribOutput`. */
export interface GribOutputOptions {
  readonly overwrite?: boolean;
  /** Bits of each value, 1 to 32. Default 16: a 65,536th of the range of each field. */
  readonly bits?: number | undefined;
}

interface Encoding {
  readonly encoder: GribEncoder;
  /** To the units of the parameter. */
  readonly convert: { readonly factor: number; readonly offset: number } | undefined;
  readonly isOfPeriod: boolean;
}

/** A forecast whose turn has not come: its messages wait in a file. */
interface Part {
  readonly path: string;
  readonly handle: FileHandle;
  isComplete: boolean;
}

/** See the top of this file. */
export class GribOutput implements ForecastOutput {
  readonly path: string;
  #header: FileHeader | undefined;
  #encodings: Encoding[] = [];
  /** Folder of the file and the parts. */
  #folder: string | undefined;
  #file: FileHandle | undefined;
  /** The forecast whose messages go to the file now: date × members + member. */
  #turn = 0;
  readonly #parts = new Map<number, Part>();
  /** One write after the other. */
  #queue: Promise<void> = Promise.resolve();

  constructor(
    path: string,
    readonly options: GribOutputOptions = {},
  ) {
    this.path = resolve(path);
    const { bits = 16 } = options;
    if (!Number.isInteger(bits) || bits < 1 || bits > 32) {
      throw new UsageError(`GRIB values have 1 to 32 bits, not ${bits}`);
    }
  }

  get #finalName() {
    return { overwrite: this.options.overwrite === true, markers: [] };
  }

  /** @throws DataError for grids and variables that GRIB cannot hold; UsageError for points, and an output that is there */
  async open(header: FileHeader): Promise<void> {
    this.#header = header;
    await refuseExisting(this.path, this.#finalName);
    // One by one: when one cannot be, those before it are freed.
    for (const variable of header.variables) this.#encodings.push(this.#encodingOf(header, variable));
    this.#folder = temporaryPath(this.path);
    try {
      await mkdir(dirname(this.path), { recursive: true });
      await mkdir(this.#folder);
      this.#file = await open(join(this.#folder, "file"), "wx");
    } catch (error) {
      throw toStorageError(error, this.path);
    }
  }

  #encodingOf(header: FileHeader, variable: FileHeader["variables"][number]): Encoding {
    const { grid, hasMembers, members, leadBounds } = header;
    if (grid.kind === "points") throw new UsageError("GRIB has no points", { hint: "write NetCDF or Zarr" });
    const known = lookupVariable(variable.name);
    if (!known) {
      throw new UsageError(`"${variable.name}" is no variable of the catalogue, so it has no GRIB parameter`, {
        hint: "leave it out (--variables), or write NetCDF or Zarr",
      });
    }
    if (leadBounds && known.timeKind !== "instant") {
      throw new UsageError(
        `a mean over several steps of "${variable.name}", itself of a period, has no place in GRIB`,
        {
          hint: "leave it out (--variables), or write NetCDF or Zarr",
        },
      );
    }
    const kind: GribProcessing | undefined = leadBounds
      ? "mean"
      : known.timeKind === "instant"
        ? undefined
        : known.timeKind;
    const { bits = 16 } = this.options;
    const encoder = new GribEncoder(known, { grid, bits, members: hasMembers ? members : undefined }, kind);
    const convert = sameUnits(variable.units, known.units) ? undefined : conversion(variable.units, known.units);
    return { encoder, convert, isOfPeriod: kind !== undefined };
  }

  write(step: ForecastStep): Promise<void> {
    const written = this.#queue.then(() => this.#write(step));
    this.#queue = written.catch(() => undefined);
    return written;
  }

  async #write(step: ForecastStep): Promise<void> {
    const {
      initialTimes,
      members,
      leadTimes,
      leadBounds,
      stepSeconds = (leadTimes[1] ?? 0) - leadTimes[0]!,
    } = this.#header!;
    const lead = leadTimes[step.leadIndex]!;
    const begin = leadBounds?.[step.leadIndex]?.[0] ?? Math.max(0, lead - stepSeconds);
    const number = step.initialIndex * members + step.memberIndex;
    try {
      const handle = number === this.#turn ? this.#file! : (await this.#partOf(number)).handle;
      for (const [v, { encoder, convert, isOfPeriod }] of this.#encodings.entries()) {
        const field = step.fields[v]!;
        const values = convert ? field.map((value) => value * convert.factor + convert.offset) : field;
        const from = isOfPeriod ? begin : undefined;
        const time = initialTimes[step.initialIndex]!;
        await append(handle, encoder.encode(values, { time, lead, from, member: step.memberIndex }));
      }
      if (step.leadIndex < leadTimes.length - 1) return;
      if (number !== this.#turn) this.#parts.get(number)!.isComplete = true;
      else await this.#nextTurns();
    } catch (error) {
      throw toStorageError(error, this.path);
    }
  }

  async #partOf(number: number): Promise<Part> {
    const known = this.#parts.get(number);
    if (known) return known;
    const path = join(this.#folder!, String(number));
    const part = { path, handle: await open(path, "wx"), isComplete: false };
    this.#parts.set(number, part);
    return part;
  }

  /** The forecast whose turn it was is complete: those that follow it and have come already are taken over. */
  async #nextTurns(): Promise<void> {
    for (;;) {
      const part = this.#parts.get(++this.#turn);
      if (!part) return;
      this.#parts.delete(this.#turn);
      await this.#takeOver(part);
      if (!part.isComplete) return;
    }
  }

  async #takeOver({ path, handle }: Part): Promise<void> {
    await handle.close();
    const from = await open(path, "r");
    try {
      const block = Buffer.allocUnsafe(4 << 20);
      for (;;) {
        const { bytesRead } = await from.read(block, 0, block.length);
        if (bytesRead === 0) break;
        await append(this.#file!, block.subarray(0, bytesRead));
      }
    } finally {
      await from.close();
    }
    await rm(path);
  }

  async close(): Promise<string | undefined> {
    await this.#queue;
    try {
      // Forecasts that never came leave the others in their order.
      for (const number of [...this.#parts.keys()].sort((a, b) => a - b)) {
        await this.#takeOver(this.#parts.get(number)!);
        this.#parts.delete(number);
      }
      await this.#file?.close();
      this.#file = undefined;
      await moveToFinalName(join(this.#folder!, "file"), this.path, this.#finalName);
    } catch (error) {
      await this.abort();
      throw toStorageError(error, this.path);
    }
    await this.abort();
    return this.path;
  }

  /** Also frees ecCodes' memory. */
  async abort(): Promise<void> {
    await this.#queue;
    for (const { handle } of this.#parts.values()) await handle.close().catch(() => undefined);
    this.#parts.clear();
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
    for (const { encoder } of this.#encodings) encoder[Symbol.dispose]();
    this.#encodings = [];
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }
}

async function append(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
}

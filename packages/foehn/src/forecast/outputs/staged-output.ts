// Resuming for formats that are one file (NetCDF, GRIB), which several processes cannot fill at once: every forecast (a member of a date) is
// kept as plain numbers in a file of its own in a work folder, and whoever finishes the last one writes the real file from them, step by
// step. Until then the disk holds the forecast once, at the end twice. Memory: one step.

import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StorageError } from "../../core/errors.js";
import { toStorageError } from "../../core/files.js";
import { WorkFolder } from "../../io/work-folder.js";
import { blocksIn, workUnits } from "../work-plan.js";
import type { FileHeader } from "./cf-layout.js";
import type { ForecastHeader, ForecastOutput, ForecastStep, OutputUnits } from "./output.js";
import { identityKey, planOf } from "./plan.js";

/** Options of `StagedOutput`. */
export interface StagedOptions {
  readonly path: string;
  readonly overwrite?: boolean;
  /** What else decides how the file is made. */
  readonly format: Readonly<Record<string, unknown>>;
  /** Whether a finished file was made from the plan of this identity. */
  readonly isMadeFrom: (target: string, identity: string) => Promise<boolean>;
}

/** A part that is being written. */
interface OpenPart {
  readonly handle: FileHandle;
  readonly temporary: string;
}

const block = { dates: 1, members: 1 } as const;

/** See the top of this file. */
export class StagedOutput implements ForecastOutput {
  #header: FileHeader | undefined;
  #work: WorkFolder | undefined;
  readonly #parts = new Map<string, Promise<OpenPart>>();

  /** @param inner the real file; opened at the very end */
  constructor(
    readonly inner: ForecastOutput,
    readonly options: StagedOptions,
  ) {}

  async open(header: FileHeader): Promise<void> {
    const { path, overwrite = false, format, isMadeFrom } = this.options;
    this.#header = header;
    this.#work = await WorkFolder.open(path, { ...planOf(header, format), overwrite, markers: [], isMadeFrom });
  }

  get units(): OutputUnits | undefined {
    const [work, header] = [this.#work, this.#header];
    if (!work || !header) return undefined;
    return {
      block,
      isFinished: async (unit) => blocksIn(unit, header.members, block).every((part) => work.isFinished(part)),
      finish: (unit) =>
        this.#unlessDone(async () => {
          for (let date = unit.dates[0]; date < unit.dates[1]; date++) {
            for (let member = unit.members[0]; member < unit.members[1]; member++) {
              await this.#finishPart(date, member);
              await work.finish(date * header.members + member);
            }
          }
        }),
    };
  }

  #partPath(date: number, member: number): string {
    return join(this.#work!.store, `${date}-${member}`);
  }

  write(step: ForecastStep): Promise<void> {
    return this.#unlessDone(async () => {
      const work = this.#work!;
      if (work.isComplete) return;
      const key = `${step.initialIndex}-${step.memberIndex}`;
      let part = this.#parts.get(key);
      if (!part) {
        const temporary = work.temporaryName();
        part = open(temporary, "w").then((handle) => ({ handle, temporary }));
        this.#parts.set(key, part);
      }
      const { handle } = await part;
      const size = step.fields[0]?.byteLength ?? 0;
      for (const [v, field] of step.fields.entries()) {
        const bytes = new Uint8Array(field.buffer, field.byteOffset, field.byteLength);
        await writeAll(handle, bytes, (step.leadIndex * step.fields.length + v) * size);
      }
    });
  }

  async #finishPart(date: number, member: number): Promise<void> {
    const key = `${date}-${member}`;
    const part = await this.#parts.get(key);
    if (!part) return;
    this.#parts.delete(key);
    await part.handle.datasync();
    await part.handle.close();
    await rename(part.temporary, this.#partPath(date, member));
  }

  async close(): Promise<string | undefined> {
    const [work, header] = [this.#work!, this.#header!];
    if (work.isComplete) return work.target;
    let path: string | undefined = work.target;
    await this.#unlessDone(async () => {
      const total = workUnits(header.initialTimes.length, header.members, block).length;
      if ((await work.countFinished()) === total) path = await this.#assemble(work, header);
      else if (!(await work.isDoneByOthers())) path = undefined;
    });
    return path;
  }

  async #assemble(work: WorkFolder, header: FileHeader): Promise<string | undefined> {
    const provenance = { ...header.provenance, ...work.note, [identityKey]: work.identity };
    await mkdir(dirname(work.target), { recursive: true });
    await this.inner.open({ ...header, provenance } as ForecastHeader);
    let path: string | undefined;
    try {
      for (const initialIndex of header.initialTimes.keys()) {
        for (let memberIndex = 0; memberIndex < header.members; memberIndex++) {
          await this.#replay(header, initialIndex, memberIndex);
        }
      }
      path = await this.inner.close();
    } catch (error) {
      await this.inner.abort();
      throw error;
    }
    await rm(work.path, { recursive: true, force: true, maxRetries: 3 });
    return path;
  }

  async #replay(header: FileHeader, initialIndex: number, memberIndex: number): Promise<void> {
    const { variables, leadTimes, initialTimes, grid } = header;
    const points = grid.shape.reduce<number>((product, size) => product * size, 1);
    const values = new Float32Array(variables.length * points);
    const fields = variables.map((_, v) => values.subarray(v * points, (v + 1) * points));
    const file = this.#partPath(initialIndex, memberIndex);
    const handle = await open(file, "r");
    try {
      for (const [leadIndex, lead] of leadTimes.entries()) {
        const bytes = new Uint8Array(values.buffer);
        let done = 0;
        while (done < bytes.length) {
          const at = leadIndex * bytes.length + done;
          const { bytesRead } = await handle.read(bytes, done, bytes.length - done, at);
          if (bytesRead === 0) throw new StorageError(`${file} is shorter than its forecast`);
          done += bytesRead;
        }
        const validTime = initialTimes[initialIndex]! + lead;
        await this.inner.write({ initialIndex, memberIndex, leadIndex, validTime, fields });
      }
    } finally {
      await handle.close();
    }
  }

  async abort(): Promise<void> {
    for (const opening of this.#parts.values()) {
      const part = await opening.catch(() => undefined);
      await part?.handle.close().catch(() => undefined);
      if (part) await rm(part.temporary, { force: true });
    }
    this.#parts.clear();
  }

  // Another process may do the same units and come to the end first: then nothing is left to write to.
  async #unlessDone(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(await this.#work?.isDoneByOthers())) throw toStorageError(error, this.options.path);
    }
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

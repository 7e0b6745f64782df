// A forecast as a Zarr store: fields are cut into chunks as they come, and with `resume` several calls and processes fill one store
// together: every chunk or shard file belongs to one unit of work, hence to one writer. Not here: the format (io/zarr/), axes (cf-layout.ts).

import type { ArrayAttributes } from "../../io/array-writer.js";
import { WorkFolder } from "../../io/work-folder.js";
import { openZarr } from "../../io/zarr/read.js";
import { ZarrWriter, zarrMarkers } from "../../io/zarr/write.js";
import { blocksIn, type WorkBlock, type WorkUnit, workUnits } from "../work-plan.js";
import { type CfAxis, cfAttributes, cfAxes, cfPlace, type FileHeader, writeCoordinates } from "./cf-layout.js";
import { type AxisSizes, type ChunkShapes, chunkShapes } from "./chunk-shapes.js";
import type { ForecastOutput, ForecastStep, OutputUnits } from "./output.js";
import { identityKey, planOf } from "./plan.js";

/** Options of `ZarrOutput`. */
export interface ZarrOutputOptions {
  readonly overwrite?: boolean;
  /** none (default), gzip, zstd or blosc. */
  readonly compression?: string | undefined;
  /** Format; default 3. */
  readonly format?: 2 | 3 | undefined;
  readonly chunks?: AxisSizes | undefined;
  readonly shards?: AxisSizes | undefined;
  /** Build it in a work folder that later calls, or others at the same time, go on with. Default false. */
  readonly resume?: boolean | undefined;
}

/** Fields of one forecast that wait for the other leads of their chunk. */
interface Waiting {
  readonly leads: Float32Array;
  filled: number;
}

/** See the top of this file. */
export class ZarrOutput implements ForecastOutput {
  #header: FileHeader | undefined;
  #axes: readonly CfAxis[] = [];
  #shapes: ChunkShapes = { chunkShape: [], shardShape: undefined };
  #writer: ZarrWriter | undefined;
  #work: WorkFolder | undefined;
  /** By date, member and variable; only for chunks of several leads. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(
    readonly path: string,
    readonly options: ZarrOutputOptions = {},
  ) {}

  async open(header: FileHeader): Promise<void> {
    const { compression = "none", format = 3, overwrite = false, chunks, shards } = this.options;
    this.#header = header;
    this.#axes = cfAxes(header);
    this.#shapes = chunkShapes(this.#axes, chunks, shards);
    let attributes: ArrayAttributes = { Conventions: "CF-1.10", ...header.provenance };
    if (this.options.resume) {
      const { plan, note } = planOf(header, { compression, format, ...this.#shapes });
      this.#work = await WorkFolder.open(this.path, {
        plan,
        note,
        overwrite,
        markers: zarrMarkers,
        isMadeFrom: async (target, identity) =>
          (await openZarr(target).catch(() => undefined))?.attributes[identityKey] === identity,
      });
      if (this.#work.isComplete) return;
      attributes = { ...attributes, ...this.#work.note, [identityKey]: this.#work.identity };
    }
    this.#writer = await ZarrWriter.create(this.path, {
      attributes,
      overwrite,
      compression,
      format,
      work: this.#work,
    });
    await this.#unlessDone(() => this.#declare(header));
  }

  async #declare(header: FileHeader): Promise<void> {
    const writer = this.#writer!;
    await writeCoordinates(writer, header);
    for (const variable of header.variables) {
      await writer.declare({
        name: variable.name,
        dimensions: this.#axes.map((axis) => axis.name),
        shape: this.#axes.map((axis) => axis.size),
        ...this.#shapes,
        dataType: "float32",
        attributes: cfAttributes(header, variable),
      });
    }
  }

  get units(): OutputUnits | undefined {
    const work = this.#work;
    const header = this.#header;
    if (!work || !header) return undefined;
    const block = this.#block();
    const blocksOf = (unit: WorkUnit) => blocksIn(unit, header.members, block);
    return {
      block,
      isFinished: async (unit) => blocksOf(unit).every((part) => work.isFinished(part)),
      finish: (unit) =>
        this.#unlessDone(async () => {
          await this.#writer?.flush((shard) => this.#isIn(unit, shard));
          for (const part of blocksOf(unit)) await work.finish(part);
        }),
    };
  }

  /** Dates and members that share a file. */
  #block(): WorkBlock {
    const { chunkShape, shardShape = chunkShape } = this.#shapes;
    const sizeOf = (kind: "date" | "ensemble"): number => {
      const axis = this.#axes.findIndex((candidate) => candidate.kind === kind);
      return axis < 0 ? 1 : shardShape[axis]!;
    };
    return { dates: sizeOf("date"), members: sizeOf("ensemble") };
  }

  #isIn({ dates, members }: WorkUnit, shard: readonly number[]): boolean {
    const block = this.#block();
    return this.#axes.every(({ kind }, axis) => {
      if (kind !== "date" && kind !== "ensemble") return true;
      const [from, to] = kind === "date" ? dates : members;
      const first = shard[axis]! * (kind === "date" ? block.dates : block.members);
      return first >= from && first < to;
    });
  }

  write(step: ForecastStep): Promise<void> {
    return this.#unlessDone(async () => {
      if (!this.#writer) return;
      await Promise.all(this.#header!.variables.map(({ name }, v) => this.#writeField(name, step, step.fields[v]!)));
    });
  }

  async #writeField(name: string, step: ForecastStep, field: Float32Array): Promise<void> {
    const place = cfPlace(this.#header!, step);
    const leadAxis = place.length - 1;
    const perChunk = this.#shapes.chunkShape[leadAxis]!;
    if (perChunk === 1) return this.#writeChunks(name, place, field);
    const key = `${step.initialIndex} ${step.memberIndex} ${name}`;
    const waiting = this.#waiting.get(key) ?? {
      leads: new Float32Array(perChunk * field.length).fill(Number.NaN),
      filled: 0,
    };
    this.#waiting.set(key, waiting);
    waiting.leads.set(field, (step.leadIndex % perChunk) * field.length);
    waiting.filled++;
    if (waiting.filled < perChunk && step.leadIndex < this.#header!.leadTimes.length - 1) return;
    this.#waiting.delete(key);
    await this.#writeChunks(name, [...place.slice(0, -1), Math.floor(step.leadIndex / perChunk)], waiting.leads);
  }

  /** @param values the leads of the chunk, each a whole field */
  async #writeChunks(name: string, place: readonly number[], values: Float32Array): Promise<void> {
    const writer = this.#writer!;
    const sizes = this.#axes.slice(place.length).map((axis) => axis.size);
    const chunk = this.#shapes.chunkShape.slice(place.length);
    if (chunk.every((size, axis) => size === sizes[axis])) {
      return writer.writeChunk(name, [...place, ...chunk.map(() => 0)], values);
    }
    // Points have one axis of space, fields two.
    const [ny, nx] = sizes.length === 2 ? (sizes as [number, number]) : [1, sizes[0]!];
    const [cy, cx] = chunk.length === 2 ? (chunk as [number, number]) : [1, chunk[0]!];
    const leads = values.length / (ny * nx);
    const part = new Float32Array(leads * cy * cx);
    for (let row = 0; row < ny; row += cy) {
      for (let column = 0; column < nx; column += cx) {
        const [rows, columns] = [Math.min(cy, ny - row), Math.min(cx, nx - column)];
        if (rows < cy || columns < cx) part.fill(Number.NaN);
        for (let lead = 0; lead < leads; lead++) {
          for (let y = 0; y < rows; y++) {
            const from = (lead * ny + row + y) * nx + column;
            part.set(values.subarray(from, from + columns), (lead * cy + y) * cx);
          }
        }
        const index = sizes.length === 2 ? [row / cy, column / cx] : [column / cx];
        await writer.writeChunk(name, [...place, ...index], part);
      }
    }
  }

  async close(): Promise<string | undefined> {
    const [work, header] = [this.#work, this.#header!];
    if (!work) return this.#writer?.close();
    if (work.isComplete) return work.target;
    const total = workUnits(header.initialTimes.length, header.members, this.#block()).length;
    let path: string | undefined = work.target;
    await this.#unlessDone(async () => {
      if ((await work.countFinished()) === total) path = await this.#writer!.close();
      else if (!(await work.isDoneByOthers())) path = undefined;
    });
    if (path === undefined || (await work.isDoneByOthers())) await this.#writer!.abort();
    return path;
  }

  async abort(): Promise<void> {
    this.#waiting.clear();
    await this.#writer?.abort();
  }

  // Another process may do the same units and come to the end first: then there is nothing left to write to, and nothing to do.
  async #unlessDone(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(await this.#work?.isDoneByOthers())) throw error;
    }
  }
}

// A forecast as one NetCDF-4 file, one chunk for each field. Not here: the format (io/netcdf/write.ts), axes (cf-layout.ts), groups for
// several domains (domain-netcdf.ts).

import { NetcdfWriter } from "../../io/netcdf/write.js";
import { type CfAxis, cfAttributes, cfAxes, cfPlace, type FileHeader, writeCoordinates } from "./cf-layout.js";
import type { ForecastOutput, ForecastStep } from "./output.js";

/** Options of `NetcdfOutput`. */
export interface NetcdfOutputOptions {
  readonly overwrite?: boolean;
  /** Deflate level 0 (default) to 9. */
  readonly deflate?: number;
}

/** See the top of this file. */
export class NetcdfOutput implements ForecastOutput {
  #header: FileHeader | undefined;
  #axes: readonly CfAxis[] = [];
  #writer: NetcdfWriter | undefined;

  constructor(
    readonly path: string,
    readonly options: NetcdfOutputOptions = {},
  ) {}

  async open(header: FileHeader): Promise<void> {
    this.#header = header;
    this.#axes = cfAxes(header);
    const attributes = { Conventions: "CF-1.10", ...header.provenance };
    const writer = await NetcdfWriter.create(this.path, { ...this.options, attributes });
    this.#writer = writer;
    // The first axis of a plain forecast, time, can be made longer by other tools.
    const isPlain = this.#axes[0]?.kind === "lead" && header.leadBounds === undefined;
    await writeCoordinates(writer, header, isPlain);
    for (const variable of header.variables) {
      await writer.declare({
        name: variable.name,
        dimensions: this.#axes.map((axis) => axis.name),
        shape: this.#axes.map((axis, i) => (isPlain && i === 0 ? null : axis.size)),
        chunkShape: this.#axes.map(({ kind, size }) =>
          kind === "lat" || kind === "lon" || kind === "point" ? size : 1,
        ),
        dataType: "float32",
        attributes: cfAttributes(header, variable),
      });
    }
  }

  async write(step: ForecastStep): Promise<void> {
    const [writer, header] = [this.#writer!, this.#header!];
    const place = cfPlace(header, step);
    const index = this.#axes.map((_, axis) => place[axis] ?? 0);
    for (const [v, { name }] of header.variables.entries()) await writer.writeChunk(name, index, step.fields[v]!);
  }

  async close(): Promise<string | undefined> {
    return this.#writer?.close();
  }

  async abort(): Promise<void> {
    await this.#writer?.abort();
  }
}

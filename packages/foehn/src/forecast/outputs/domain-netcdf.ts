// Forecasts of several places in one NetCDF-4 file: a group for each domain, after earth2mip's ensemble output (groups named as the domain,
// variables (ensemble, time, lat, lon) or (ensemble, time, npoints), the model, the configuration and the event as global attributes).
// Differences: windows are really cut out, also across 0°; fields are float32, as models compute them; times are whole numbers.

import { UsageError } from "../../core/errors.js";
import type { ArrayAttributes, ArrayWriter } from "../../io/array-writer.js";
import { NetcdfWriter } from "../../io/netcdf/write.js";
import {
  type CoordinateWriter,
  cfAttributes,
  cfAxes,
  cfPlace,
  type FileHeader,
  writeCoordinates,
} from "./cf-layout.js";
import { type Domain, type PlacedDomain, placeDomain } from "./domains.js";
import type { ForecastHeader, ForecastOutput, ForecastStep, OutputVariable } from "./output.js";
import { chooseVariables } from "./select-output.js";

/** A domain and the variables kept of it; default all. */
export type DomainOfOutput = Domain & { readonly variables?: readonly string[] | undefined };

/** Options of `DomainNetcdfOutput`. */
export interface DomainNetcdfOptions {
  readonly domains: readonly DomainOfOutput[];
  readonly attributes?: ArrayAttributes | undefined;
  readonly overwrite?: boolean;
  readonly deflate?: number;
}

interface OpenDomain {
  readonly name: string;
  readonly header: FileHeader;
  readonly placed: PlacedDomain;
  /** Places of its variables in the forecast. */
  readonly fields: readonly number[];
}

/** See the top of this file. */
export class DomainNetcdfOutput implements ForecastOutput {
  #writer: NetcdfWriter | undefined;
  #domains: readonly OpenDomain[] = [];

  constructor(
    readonly path: string,
    readonly options: DomainNetcdfOptions,
  ) {
    const names = options.domains.map((domain) => domain.name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (names.length === 0) throw new UsageError("no domains were given");
    if (twice !== undefined) throw new UsageError(`two domains have the name "${twice}"`);
  }

  async open(header: ForecastHeader): Promise<void> {
    // Before there is a file: most mistakes are in here.
    const all = header.variables.map((variable) => variable.name);
    this.#domains = this.options.domains.map((domain) => {
      const placed = placeDomain(header.grid, domain);
      const fields = chooseVariables(domain.variables, all).map((name) => all.indexOf(name));
      const variables = fields.map((v) => header.variables[v]!);
      const { grid, pointNames } = placed;
      return { name: domain.name, header: { ...header, variables, grid, pointNames }, placed, fields };
    });
    const { overwrite = false, deflate = 0, attributes } = this.options;
    const writer = await NetcdfWriter.create(this.path, {
      overwrite,
      deflate,
      attributes: { Conventions: "CF-1.10", ...header.provenance, ...attributes },
    });
    this.#writer = writer;
    // Times and members are the same for all domains, and stand in the root.
    await writeCoordinates(onlyShared(writer), header);
    for (const domain of this.#domains) await this.#declare(writer, domain);
  }

  async #declare(writer: NetcdfWriter, { name, header, placed }: OpenDomain): Promise<void> {
    await writer.makeGroup(name);
    await writeCoordinates(inGroup(writer, name), header);
    if (placed.window) {
      const { rows, columns } = placed.window;
      const bounds = { imin: rows[0], imax: rows[1], jmin: columns[0], jmax: columns[1] };
      for (const [key, value] of Object.entries(bounds)) {
        const attributes = { long_name: `${key.startsWith("i") ? "row" : "column"} of the model's grid` };
        const spec = { name: `${name}/${key}`, dimensions: [], shape: [], dataType: "int32", attributes } as const;
        await writer.writeArray(spec, Int32Array.of(value));
      }
    }
    const axes = cfAxes(header).map((axis) => (axis.kind === "point" ? { ...axis, name: "npoints" } : axis));
    for (const variable of header.variables) {
      await writer.declare({
        name: `${name}/${variable.name}`,
        dimensions: axes.map((axis) => axis.name),
        shape: axes.map((axis) => axis.size),
        chunkShape: axes.map(({ kind, size }) => (kind === "lat" || kind === "lon" || kind === "point" ? size : 1)),
        dataType: "float32",
        attributes: attributesOf(header, variable),
      });
    }
  }

  async write(step: ForecastStep): Promise<void> {
    for (const { name, header, placed, fields } of this.#domains) {
      const place = cfPlace(header, step);
      const index = [...place, ...placed.grid.shape.map(() => 0)];
      for (const [v, { name: variable }] of header.variables.entries()) {
        await this.#writer!.writeChunk(`${name}/${variable}`, index, placed.take(step.fields[fields[v]!]!));
      }
    }
  }

  async close(): Promise<string | undefined> {
    return this.#writer?.close();
  }

  async abort(): Promise<void> {
    await this.#writer?.abort();
  }
}

function attributesOf(header: FileHeader, variable: OutputVariable): ArrayAttributes {
  const attributes = cfAttributes(header, variable);
  return { ...attributes, coordinates: String(attributes.coordinates).replace(" lat lon", " lat_point lon_point") };
}

const spatial = new Set(["lat", "lon", "point"]);

/** Takes coordinates of times and members only. */
function onlyShared(writer: ArrayWriter): CoordinateWriter {
  return {
    writeArray: async (spec, values) => {
      if (!spatial.has(spec.name)) await writer.writeArray(spec, values);
    },
  };
}

/** Takes coordinates of space only, into a group; earth2mip's names for points. */
function inGroup(writer: ArrayWriter, group: string): CoordinateWriter {
  const names: Readonly<Record<string, string>> = { point: "npoints" };
  return {
    writeArray: async (spec, values) => {
      if (!spatial.has(spec.name)) return;
      const dimensions = spec.dimensions.map((name) => names[name] ?? name);
      const isOfPoints = dimensions[0] === "npoints";
      const own = isOfPoints && spec.name !== "point" ? `${spec.name}_point` : (names[spec.name] ?? spec.name);
      await writer.writeArray({ ...spec, name: `${group}/${own}`, dimensions }, values);
    },
  };
}

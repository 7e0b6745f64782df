// For tests only: small files of gridded fields, written by our own writers.

import type { ArrayWriter } from "../../io/array-writer.js";

/** Writes `names × hours` fields of `ny × nx` points with the values of `value`. The caller closes the writer. */
export async function writeFields(
  writer: ArrayWriter,
  options: {
    readonly names: readonly string[];
    readonly hours: readonly number[];
    readonly shape: readonly [number, number];
    readonly value: (name: string, hour: number, point: number) => number;
  },
): Promise<void> {
  const { names, hours, value } = options;
  const [ny, nx] = options.shape;
  const axis = (name: string, units: string, values: Float64Array) =>
    writer.writeArray(
      { name, dimensions: [name], shape: [values.length], dataType: "float64", attributes: { units } },
      values,
    );
  await writer.writeArray(
    {
      name: "time",
      dimensions: ["time"],
      shape: [null],
      dataType: "int64",
      attributes: { standard_name: "time", units: "hours since 2019-03-01 00:00:00", calendar: "standard" },
    },
    BigInt64Array.from(hours, BigInt),
  );
  await axis(
    "lat",
    "degrees_north",
    Float64Array.from({ length: ny }, (_, i) => 52 - i),
  );
  await axis(
    "lon",
    "degrees_east",
    Float64Array.from({ length: nx }, (_, j) => j),
  );
  for (const name of names) {
    await writer.declare({
      name,
      dimensions: ["time", "lat", "lon"],
      shape: [null, ny, nx],
      chunkShape: [1, ny, nx],
      dataType: "float32",
      attributes: { units: "K" },
    });
    for (const [t, hour] of hours.entries()) {
      await writer.writeChunk(
        name,
        [t, 0, 0],
        Float32Array.from({ length: ny * nx }, (_, n) => value(name, hour, n)),
      );
    }
  }
}

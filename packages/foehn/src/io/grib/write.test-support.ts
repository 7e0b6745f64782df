// For tests only: GRIB 2 messages through ecCodes' own sample, so that files in published layouts can be made where the test runs.

import koffi from "koffi";
import { eccodesLibrary } from "./eccodes.js";

/** A field on a regular grid, rows from north to south. */
export interface GribTestField {
  readonly shortName: string;
  readonly typeOfLevel: string;
  readonly level: number;
  /** Epoch seconds. */
  readonly time: number;
  readonly lat0: number;
  readonly lon0: number;
  readonly spacing: number;
  readonly shape: readonly [ny: number, nx: number];
  readonly values: Float64Array;
  /** Further ecCodes keys, set in this order after the level: centre, step, ensemble member, packing. */
  readonly keys?: readonly (readonly [key: string, value: number | string])[];
}

/** The bytes of one message; 24 bits for each value. */
export function gribMessage(field: GribTestField): Buffer {
  const native = koffi.load(eccodesLibrary().path);
  const f = <T>(prototype: string) => native.func(prototype) as unknown as T;
  type Handle = object;
  const fromSample = f<(context: null, name: string) => Handle | null>(
    "void *codes_grib_handle_new_from_samples(void *context, const char *name)",
  );
  const setLong = f<(h: Handle, key: string, value: number) => number>(
    "int codes_set_long(void *handle, const char *key, long value)",
  );
  const setDouble = f<(h: Handle, key: string, value: number) => number>(
    "int codes_set_double(void *handle, const char *key, double value)",
  );
  const setString = f<(h: Handle, key: string, value: string, length: BigInt64Array) => number>(
    "int codes_set_string(void *handle, const char *key, const char *value, void *length)",
  );
  const setDoubles = f<(h: Handle, key: string, values: Float64Array, length: number) => number>(
    "int codes_set_double_array(void *handle, const char *key, const double *values, size_t length)",
  );
  const getSize = f<(h: Handle, out: BigInt64Array) => number>("int codes_get_message_size(void *handle, void *size)");
  const copyOut = f<(h: Handle, out: Buffer, length: BigInt64Array) => number>(
    "int codes_get_message_copy(void *handle, void *message, void *length)",
  );
  const remove = f<(h: Handle) => number>("int codes_handle_delete(void *handle)");
  const handle = fromSample(null, "GRIB2");
  if (!handle) throw new Error("ecCodes has no sample GRIB2");
  const check = (code: number, key: string): void => {
    if (code !== 0) throw new Error(`ecCodes cannot set ${key}: ${code}`);
  };
  try {
    const [ny, nx] = field.shape;
    const date = new Date(field.time * 1000);
    const longs: Readonly<Record<string, number>> = {
      dataDate: date.getUTCFullYear() * 10_000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate(),
      dataTime: date.getUTCHours() * 100,
      Ni: nx,
      Nj: ny,
      bitsPerValue: 24,
    };
    for (const [key, value] of Object.entries(longs)) check(setLong(handle, key, value), key);
    for (const [key, value] of [
      ["latitudeOfFirstGridPointInDegrees", field.lat0],
      ["latitudeOfLastGridPointInDegrees", field.lat0 - (ny - 1) * field.spacing],
      ["longitudeOfFirstGridPointInDegrees", (field.lon0 + 360) % 360],
      ["longitudeOfLastGridPointInDegrees", (field.lon0 + (nx - 1) * field.spacing + 360) % 360],
      ["iDirectionIncrementInDegrees", field.spacing],
      ["jDirectionIncrementInDegrees", field.spacing],
    ] as const) {
      check(setDouble(handle, key, value), key);
    }
    for (const [key, value] of [
      ["shortName", field.shortName],
      ["typeOfLevel", field.typeOfLevel],
    ] as const) {
      check(setString(handle, key, value, BigInt64Array.of(BigInt(value.length))), key);
    }
    check(setLong(handle, "level", field.level), "level");
    for (const [key, value] of field.keys ?? []) {
      if (typeof value === "number") check(setLong(handle, key, value), key);
      else check(setString(handle, key, value, BigInt64Array.of(BigInt(value.length))), key);
    }
    check(setDoubles(handle, "values", field.values, field.values.length), "values");
    const size = new BigInt64Array(1);
    check(getSize(handle, size), "size");
    const message = Buffer.alloc(Number(size[0]));
    check(copyOut(handle, message, size), "message");
    return message;
  } finally {
    remove(handle);
  }
}

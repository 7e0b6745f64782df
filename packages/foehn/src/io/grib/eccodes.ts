// The few functions of ECMWF's ecCodes C library that reading and writing GRIB need, called through koffi, and a handle that frees itself.
// The library is the system's (libeccodes ≥ 2.20); it is loaded on first use. Not here: what the keys mean (product.ts, geometry.ts).
// C API: https://confluence.ecmwf.int/display/ECC/ecCodes+API+reference

import { existsSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import { ConfigError, FormatError } from "../../core/errors.js";

/** A C pointer to a `codes_handle`, as koffi hands it out. */
type Pointer = unknown;

interface Library {
  readonly path: string;
  readonly version: string;
  readonly fromMessage: (context: null, data: Uint8Array, length: number) => Pointer | null;
  readonly remove: (handle: Pointer) => number;
  readonly getLong: (handle: Pointer, key: string, out: BigInt64Array) => number;
  readonly getDouble: (handle: Pointer, key: string, out: Float64Array) => number;
  readonly getString: (handle: Pointer, key: string, out: Uint8Array, length: BigInt64Array) => number;
  readonly getDoubles: (handle: Pointer, key: string, out: Float64Array, length: BigInt64Array) => number;
  readonly getSize: (handle: Pointer, key: string, out: BigInt64Array) => number;
  readonly setDouble: (handle: Pointer, key: string, value: number) => number;
  readonly fromSample: (context: null, name: string) => Pointer | null;
  readonly clone: (handle: Pointer) => Pointer | null;
  readonly setLong: (handle: Pointer, key: string, value: number) => number;
  readonly setString: (handle: Pointer, key: string, value: string, length: BigInt64Array) => number;
  readonly setDoubles: (handle: Pointer, key: string, values: Float64Array, length: number) => number;
  readonly getMessageSize: (handle: Pointer, out: BigInt64Array) => number;
  readonly copyMessage: (handle: Pointer, out: Uint8Array, length: BigInt64Array) => number;
  readonly errorMessage: (code: number) => string;
}

let library: Library | undefined;

/** Where the library may be, in the order tried. */
function candidates(): string[] {
  const named = process.env.FOEHN_ECCODES;
  if (named) return [named];
  const files = process.platform === "darwin" ? ["libeccodes.dylib"] : ["libeccodes.so.0", "libeccodes.so"];
  const folders = [process.env.CONDA_PREFIX && join(process.env.CONDA_PREFIX, "lib")];
  if (process.platform === "darwin") folders.push("/opt/homebrew/lib", "/usr/local/lib");
  const inFolders = folders.flatMap((folder) => (folder ? files.map((file) => join(folder, file)) : []));
  return [...inFolders.filter((file) => existsSync(file)), ...files];
}

function load(): Library {
  if (library) return library;
  const failures: string[] = [];
  for (const path of candidates()) {
    let native: ReturnType<typeof koffi.load>;
    try {
      native = koffi.load(path);
    } catch (error) {
      failures.push(`${path}: ${(error as Error).message}`);
      continue;
    }
    library = bind(native, path);
    return library;
  }
  throw new ConfigError("the ecCodes library, which reads GRIB, was not found on this machine", {
    where: failures.join("; "),
    hint:
      "install it: apt install libeccodes0 · dnf install eccodes · brew install eccodes · conda install -c conda-forge eccodes; " +
      "or name the library file in FOEHN_ECCODES",
  });
}

function bind(native: ReturnType<typeof koffi.load>, path: string): Library {
  const f = <T>(prototype: string): T => native.func(prototype) as unknown as T;
  const apiVersion = f<() => number>("long codes_get_api_version()")();
  return {
    path,
    version: `${Math.floor(apiVersion / 10000)}.${Math.floor(apiVersion / 100) % 100}.${apiVersion % 100}`,
    // The copying variant: the handle then owns its bytes and JavaScript may move or free the buffer.
    fromMessage: f("void *codes_handle_new_from_message_copy(void *context, const void *data, size_t length)"),
    remove: f("int codes_handle_delete(void *handle)"),
    getLong: f("int codes_get_long(void *handle, const char *key, void *out)"),
    getDouble: f("int codes_get_double(void *handle, const char *key, void *out)"),
    getString: f("int codes_get_string(void *handle, const char *key, void *out, void *length)"),
    getDoubles: f("int codes_get_double_array(void *handle, const char *key, void *out, void *length)"),
    getSize: f("int codes_get_size(void *handle, const char *key, void *out)"),
    setDouble: f("int codes_set_double(void *handle, const char *key, double value)"),
    fromSample: f("void *codes_grib_handle_new_from_samples(void *context, const char *name)"),
    clone: f("void *codes_handle_clone(void *handle)"),
    setLong: f("int codes_set_long(void *handle, const char *key, long value)"),
    setString: f("int codes_set_string(void *handle, const char *key, const char *value, void *length)"),
    setDoubles: f("int codes_set_double_array(void *handle, const char *key, const double *values, size_t length)"),
    getMessageSize: f("int codes_get_message_size(void *handle, void *size)"),
    copyMessage: f("int codes_get_message_copy(void *handle, void *message, void *length)"),
    errorMessage: f("const char *codes_get_error_message(int code)"),
  };
}

/**
 * Version and file of the ecCodes library.
 * @throws ConfigError with the install command when there is none
 */
export function eccodesLibrary(): { readonly version: string; readonly path: string } {
  const { version, path } = load();
  return { version, path };
}

// Out-parameters shared by all calls: koffi calls are synchronous, and each worker thread has its own copy of this module.
const long = new BigInt64Array(1);
const length = new BigInt64Array(1);
const double = new Float64Array(1);
const text = Buffer.alloc(1024);

let live = 0;

/** Handles not freed yet; tests hold this at zero. */
export function liveHandles(): number {
  return live;
}

/**
 * One GRIB message in the library. Its header has been checked by our own scanner; ecCodes aborts the process on some damaged payloads
 * (complex and PNG packing), which no caller can catch.
 * Free it with `using` or `[Symbol.dispose]()`.
 */
export class GribHandle implements Disposable {
  readonly #library: Library;
  #pointer: Pointer | null;

  /**
   * @param message one complete GRIB message with one field; copied
   * @param where for error messages: file, message number, byte offset
   * @throws FormatError when ecCodes does not accept the message
   */
  constructor(
    message: Uint8Array,
    readonly where: string,
  ) {
    this.#library = load();
    this.#pointer = this.#library.fromMessage(null, message, message.byteLength);
    if (this.#pointer === null) throw new FormatError("ecCodes cannot decode this GRIB message", { where });
    live++;
  }

  [Symbol.dispose](): void {
    if (this.#pointer === null) return;
    this.#library.remove(this.#pointer);
    this.#pointer = null;
    live--;
  }

  #handle(): Pointer {
    if (this.#pointer === null) throw new Error("GRIB handle used after it was freed");
    return this.#pointer;
  }

  #check(code: number, key: string): void {
    if (code === 0) return;
    throw new FormatError(`ecCodes cannot give "${key}": ${this.#library.errorMessage(code)}`, { where: this.where });
  }

  /** An integer key; undefined when the message lacks it or it is coded as missing. */
  tryLong(key: string): number | undefined {
    if (this.#library.getLong(this.#handle(), key, long) !== 0) return undefined;
    const value = Number(long[0]);
    return value === 2147483647 ? undefined : value;
  }

  long(key: string): number {
    this.#check(this.#library.getLong(this.#handle(), key, long), key);
    return Number(long[0]);
  }

  double(key: string): number {
    this.#check(this.#library.getDouble(this.#handle(), key, double), key);
    return double[0]!;
  }

  /** A text key; undefined when the message lacks it. */
  tryString(key: string): string | undefined {
    length[0] = BigInt(text.byteLength);
    if (this.#library.getString(this.#handle(), key, text, length) !== 0) return undefined;
    // ecCodes counts the terminating zero in most versions; cut at the first zero either way.
    const value = text.toString("utf8", 0, Number(length[0]));
    const end = value.indexOf("\0");
    return end < 0 ? value : value.slice(0, end);
  }

  string(key: string): string {
    const value = this.tryString(key);
    if (value === undefined) throw new FormatError(`the GRIB message lacks "${key}"`, { where: this.where });
    return value;
  }

  /** Length of an array key. */
  size(key: string): number {
    this.#check(this.#library.getSize(this.#handle(), key, long), key);
    return Number(long[0]);
  }

  /** Fills `out` with an array key of exactly that length. */
  doublesInto(key: string, out: Float64Array): void {
    length[0] = BigInt(out.length);
    this.#check(this.#library.getDoubles(this.#handle(), key, out, length), key);
    if (Number(length[0]) !== out.length) {
      throw new FormatError(`"${key}" has ${length[0]} values where ${out.length} were expected`, {
        where: this.where,
      });
    }
  }

  setDouble(key: string, value: number): void {
    this.#check(this.#library.setDouble(this.#handle(), key, value), key);
  }
}

/** A GRIB 2 message being made. Free it with `using` or `[Symbol.dispose]()`. */
export class GribDraft implements Disposable {
  readonly #library: Library;
  #pointer: Pointer | null;

  private constructor(library: Library, pointer: Pointer | null, what: string) {
    if (pointer === null) {
      throw new ConfigError(`ecCodes could not ${what}`, {
        where: library.path,
        hint: "its data files (definitions and samples) may be missing: apt install libeccodes-data",
      });
    }
    this.#library = library;
    this.#pointer = pointer;
    live++;
  }

  /** A message from ecCodes' own sample. @throws ConfigError without the library or its samples */
  static fromSample(name = "GRIB2"): GribDraft {
    const found = load();
    return new GribDraft(found, found.fromSample(null, name), `open its sample ${name}`);
  }

  clone(): GribDraft {
    return new GribDraft(this.#library, this.#library.clone(this.#pointer!), "copy a message");
  }

  /** Sets a whole number, a text, or a number with decimals (given as `{ double }`). @throws FormatError naming the key */
  set(key: string, value: number | string | { readonly double: number }): void {
    const code = this.trySet(key, value);
    if (code === undefined) return;
    const shown = typeof value === "object" ? value.double : value;
    throw new FormatError(`GRIB cannot hold ${key} = ${shown}: ${code}`);
  }

  /** What is wrong, or undefined. */
  trySet(key: string, value: number | string | { readonly double: number }): string | undefined {
    const handle = this.#pointer!;
    const code =
      typeof value === "number"
        ? this.#library.setLong(handle, key, value)
        : typeof value === "string"
          ? this.#library.setString(handle, key, value, BigInt64Array.of(BigInt(value.length)))
          : this.#library.setDouble(handle, key, value.double);
    return code === 0 ? undefined : this.#library.errorMessage(code);
  }

  /** An integer key; undefined when the message lacks it. */
  tryLong(key: string): number | undefined {
    return this.#library.getLong(this.#pointer!, key, long) === 0 ? Number(long[0]) : undefined;
  }

  /** @throws FormatError when ecCodes cannot pack them */
  setValues(values: Float64Array): void {
    const code = this.#library.setDoubles(this.#pointer!, "values", values, values.length);
    if (code !== 0) throw new FormatError(`GRIB cannot hold these values: ${this.#library.errorMessage(code)}`);
  }

  /** The finished message. */
  toBytes(): Uint8Array {
    let code = this.#library.getMessageSize(this.#pointer!, length);
    const bytes = new Uint8Array(Number(length[0]));
    code ||= this.#library.copyMessage(this.#pointer!, bytes, length);
    if (code !== 0) throw new FormatError(`ecCodes cannot finish a message: ${this.#library.errorMessage(code)}`);
    return bytes;
  }

  [Symbol.dispose](): void {
    if (this.#pointer === null) return;
    this.#library.remove(this.#pointer);
    this.#pointer = null;
    live--;
  }
}

// zstd and blosc from the system's libraries, several times faster than WebAssembly: Node's own zstd where it has one (22.15 and
// later), else libzstd and libblosc through koffi. Where neither is there, codecs.ts uses numcodecs. The formats are the same.
// C interfaces: zstd.h (ZSTD_compress), blosc.h (blosc_compress_ctx).

import zlib from "node:zlib";
import koffi from "koffi";

/** Compresses; undefined where there is no such library. */
export type NativeEncode = (bytes: Uint8Array) => Uint8Array;

function load(names: readonly string[]): ReturnType<typeof koffi.load> | undefined {
  if (process.env.FOEHN_NATIVE_CODECS === "0") return undefined;
  for (const name of names) {
    try {
      return koffi.load(name);
    } catch {
      // the next one
    }
  }
  return undefined;
}

const libraryNames = (name: string, version: number): string[] =>
  process.platform === "darwin"
    ? [`lib${name}.${version}.dylib`, `/opt/homebrew/lib/lib${name}.${version}.dylib`]
    : [`lib${name}.so.${version}`];

/** One buffer for results: every result is copied out in its own length. */
let scratch = new Uint8Array(0);

function room(bytes: number): Uint8Array {
  if (scratch.length < bytes) scratch = new Uint8Array(bytes);
  return scratch;
}

/** @param level 1 to 22 */
export function nativeZstd(level: number): NativeEncode | undefined {
  const { zstdCompressSync, constants } = zlib as unknown as {
    zstdCompressSync?: (bytes: Uint8Array, options: object) => Uint8Array;
    constants: Record<string, number>;
  };
  if (zstdCompressSync && process.env.FOEHN_NATIVE_CODECS !== "0") {
    const params = { [constants.ZSTD_c_compressionLevel!]: level };
    // A known size goes into the frame's header, which readers use to allocate.
    return (bytes) => zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length });
  }
  const library = load(libraryNames("zstd", 1));
  if (!library) return undefined;
  const bound = library.func("size_t ZSTD_compressBound(size_t size)") as unknown as (size: number) => number;
  const isError = library.func("unsigned int ZSTD_isError(size_t code)") as unknown as (code: number) => number;
  const compress = library.func(
    "size_t ZSTD_compress(void *out, size_t room, const void *bytes, size_t size, int level)",
  ) as unknown as (out: Uint8Array, room: number, bytes: Uint8Array, size: number, level: number) => number;
  return (bytes) => {
    const out = room(Number(bound(bytes.length)));
    const size = Number(compress(out, out.length, bytes, bytes.length, level));
    if (isError(size)) throw new Error(`zstd could not compress ${bytes.length} bytes`);
    return out.slice(0, size);
  };
}

/** lz4 after shuffling bytes of elements of `typesize`. */
export function nativeBlosc(level: number, typesize: number): NativeEncode | undefined {
  const library = load(libraryNames("blosc", 1));
  if (!library) return undefined;
  const compress = library.func(
    "int blosc_compress_ctx(int level, int shuffle, size_t typesize, size_t size, const void *bytes, void *out, size_t room, const char *cname, size_t blocksize, int threads)",
  ) as unknown as (...args: (number | string | Uint8Array)[]) => number;
  const overhead = 16;
  return (bytes) => {
    const out = room(bytes.length + overhead);
    const size = compress(level, 1, typesize, bytes.length, bytes, out, out.length, "lz4", 0, 1);
    if (size <= 0) throw new Error(`blosc could not compress ${bytes.length} bytes`);
    return out.slice(0, size);
  };
}

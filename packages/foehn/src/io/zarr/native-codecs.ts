// gzip, zstd and blosc from the system's libraries through koffi: two to three times faster than Node's gzip, several times faster than
// WebAssembly. Where a library is not there, codecs.ts uses those; the formats are the same.
// C interfaces: libdeflate.h, zstd.h, blosc.h (blosc_compress_ctx).

import zlib from "node:zlib";
import koffi from "koffi";
import { takeBuffer } from "./output-buffers.js";

/** Compresses into a buffer of output-buffers.ts. */
export type NativeEncode = (bytes: Uint8Array) => Uint8Array;

/** The first of these libraries that is there. */
export function load(names: readonly string[]): ReturnType<typeof koffi.load> | undefined {
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

/** File names of a library, by its name and the version of its interface. */
export const libraryNames = (name: string, version: number): string[] =>
  process.platform === "darwin"
    ? [`lib${name}.${version}.dylib`, `/opt/homebrew/lib/lib${name}.${version}.dylib`]
    : [`lib${name}.so.${version}`];

/** zstd frames that name the size of their contents. @param level 1 to 22 */
export function nativeZstd(level: number): NativeEncode | undefined {
  const library = load(libraryNames("zstd", 1));
  if (!library) return nodeZstd(level);
  const bound = library.func("size_t ZSTD_compressBound(size_t size)") as unknown as (size: number) => number;
  const isError = library.func("unsigned int ZSTD_isError(size_t code)") as unknown as (code: number) => number;
  const compress = library.func(
    "size_t ZSTD_compressCCtx(void *context, void *out, size_t room, const void *bytes, size_t size, int level)",
  ) as unknown as (...args: unknown[]) => number;
  const context = library.func("void *ZSTD_createCCtx()")() as unknown;
  if (context === null) return nodeZstd(level);
  return (bytes) => {
    const out = takeBuffer(bound(bytes.length));
    const size = compress(context, out, out.length, bytes, bytes.length, level);
    if (isError(size)) throw new Error(`zstd could not compress ${bytes.length} bytes`);
    return out.subarray(0, size);
  };
}

/** Node's own, from 22.15 on: several times slower, because its results come in pieces. */
function nodeZstd(level: number): NativeEncode | undefined {
  const { zstdCompressSync, constants } = zlib as unknown as {
    zstdCompressSync?: (bytes: Uint8Array, options: object) => Uint8Array;
    constants: Record<string, number>;
  };
  if (!zstdCompressSync || process.env.FOEHN_NATIVE_CODECS === "0") return undefined;
  const params = { [constants.ZSTD_c_compressionLevel!]: level };
  // A known size goes into the frame's header, which readers use to allocate.
  return (bytes) => zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length });
}

/** Ordinary gzip. @param level 1 to 12, which mean about what 1 to 9 mean to zlib */
export function nativeGzip(level: number): NativeEncode | undefined {
  const library = load(libraryNames("deflate", 0));
  if (!library) return undefined;
  const compressor = library.func("void *libdeflate_alloc_compressor(int level)")(level) as unknown;
  if (compressor === null) return undefined;
  const bound = library.func("size_t libdeflate_gzip_compress_bound(void *compressor, size_t size)") as unknown as (
    ...args: unknown[]
  ) => number;
  const compress = library.func(
    "size_t libdeflate_gzip_compress(void *compressor, const void *bytes, size_t size, void *out, size_t room)",
  ) as unknown as (...args: unknown[]) => number;
  return (bytes) => {
    const out = takeBuffer(bound(compressor, bytes.length));
    const size = compress(compressor, bytes, bytes.length, out, out.length);
    if (size === 0) throw new Error(`gzip could not compress ${bytes.length} bytes`);
    return out.subarray(0, size);
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
    const out = takeBuffer(bytes.length + overhead);
    const size = compress(level, 1, typesize, bytes.length, bytes, out, out.length, "lz4", 0, 1);
    if (size <= 0) throw new Error(`blosc could not compress ${bytes.length} bytes`);
    return out.subarray(0, size);
  };
}

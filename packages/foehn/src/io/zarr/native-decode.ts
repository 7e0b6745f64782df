// Decompression of Zarr chunks by the system's libraries, on threads of Node's pool: with a half to a third of the processor time of
// the WebAssembly and the streams that zarrita brings. What a compressed chunk says of its size is not believed: no result is larger than
// the limit.
// C interfaces: libdeflate.h, zstd.h, blosc.h (blosc_decompress_ctx).

import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { libraryNames, load } from "./native-codecs.js";

/** @param limit bytes that the result may have */
export type NativeDecode = (bytes: Uint8Array, limit: number) => Promise<Uint8Array>;

type CFunction = ReturnType<NonNullable<ReturnType<typeof load>>["func"]>;

/** koffi takes 64 calls at a time from each JavaScript thread. */
const maxCalls = 32;
let calls = 0;

/** Calls a C function on a thread of the pool; in place when very many calls are there already. */
function inPool(fn: CFunction, ...args: unknown[]): Promise<number> {
  if (calls >= maxCalls) return Promise.resolve(Number(fn(...args)));
  calls++;
  return new Promise<number>((resolve, reject) => {
    fn.async(...args, (error: unknown, result: unknown) => {
      calls--;
      args.length = 0; // till here the callback keeps the memory that the call works on
      if (error) reject(error);
      else resolve(Number(result));
    });
  });
}

const tooLarge = (codec: string, limit: number): Error =>
  new Error(`a ${codec} chunk is damaged: it is larger than the ${limit} bytes of a chunk of this array`);

const whole = (out: Uint8Array, size: number): Uint8Array => (size === out.length ? out : out.slice(0, size));

/** Undefined where there is no libzstd. */
function zstdDecoder(): NativeDecode | undefined {
  const library = load(libraryNames("zstd", 1));
  if (!library) return undefined;
  const contentSize = library.func("uint64_t ZSTD_getFrameContentSize(const void *bytes, size_t size)");
  const isError = library.func("unsigned int ZSTD_isError(size_t code)");
  const decompress = library.func("size_t ZSTD_decompress(void *out, size_t room, const void *bytes, size_t size)");
  return async (bytes, limit) => {
    // 2^64 - 1 where the frame does not say, 2^64 - 2 where it is none.
    const told = BigInt(contentSize(bytes, bytes.length) as number | bigint);
    if (bytes.length === 0 || told === 2n ** 64n - 2n) throw new Error("a zstd chunk is damaged");
    if (told !== 2n ** 64n - 1n && told > BigInt(limit)) throw tooLarge("zstd", limit);
    const room = async (size: number): Promise<Uint8Array | undefined> => {
      const out = new Uint8Array(size);
      const got = await inPool(decompress, out, size, bytes, bytes.length);
      return got <= size && !isError(got) ? whole(out, got) : undefined;
    };
    // Several frames in a row are larger than the first one says.
    const decoded = (told <= BigInt(limit) ? await room(Number(told)) : undefined) ?? (await room(limit));
    if (!decoded) throw new Error("a zstd chunk is damaged");
    return decoded;
  };
}

/** Undefined where there is no libblosc. */
function bloscDecoder(): NativeDecode | undefined {
  const library = load(libraryNames("blosc", 1));
  if (!library) return undefined;
  const validate = library.func("int blosc_cbuffer_validate(const void *bytes, size_t size, _Out_ size_t *decoded)");
  const decompress = library.func("int blosc_decompress_ctx(const void *bytes, void *out, size_t room, int threads)");
  return async (bytes, limit) => {
    const told: [number] = [0];
    if (validate(bytes, bytes.length, told) !== 0) throw new Error("a blosc chunk is damaged");
    const size = Number(told[0]);
    if (size > limit) throw tooLarge("blosc", limit);
    const out = new Uint8Array(size);
    if ((await inPool(decompress, bytes, out, size, 1)) !== size) throw new Error("a blosc chunk is damaged");
    return out;
  };
}

const gunzipAsync = promisify(gunzip);

/** Node's own where there is no libdeflate, and for what libdeflate does not take: several streams in a row. */
function gzipDecoder(): NativeDecode {
  const slow: NativeDecode = async (bytes, limit) => {
    try {
      return new Uint8Array(await gunzipAsync(bytes, { maxOutputLength: Math.max(1, limit) }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge("gzip", limit);
      throw error;
    }
  };
  const library = load(libraryNames("deflate", 0));
  if (!library) return slow;
  const allocate = library.func("void *libdeflate_alloc_decompressor()");
  const free = library.func("void libdeflate_free_decompressor(void *decompressor)");
  const decompress = library.func(
    "int libdeflate_gzip_decompress_ex(void *d, const void *bytes, size_t size, void *out, size_t room, size_t *used, size_t *got)",
  );
  return async (bytes, limit) => {
    if (bytes.length < 18) return slow(bytes, limit);
    // The last four bytes are the size, modulo 2^32; a false one ends in the slow way.
    const told = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
    if (told > limit) return slow(bytes, limit);
    const [out, sizes] = [new Uint8Array(told), new BigUint64Array(2)];
    const decompressor = allocate() as unknown;
    if (decompressor === null) return slow(bytes, limit);
    try {
      const [used, got] = [sizes.subarray(0, 1), sizes.subarray(1, 2)];
      const failure = await inPool(decompress, decompressor, bytes, bytes.length, out, told, used, got);
      const isWhole = failure === 0 && Number(sizes[0]) === bytes.length && Number(sizes[1]) === told;
      return isWhole ? out : slow(bytes, limit);
    } finally {
      free(decompressor);
    }
  };
}

/** The decoder of a codec; undefined where its library is missing. */
export function nativeDecoder(codec: "zstd" | "blosc" | "gzip"): NativeDecode | undefined {
  return { zstd: zstdDecoder, blosc: bloscDecoder, gzip: gzipDecoder }[codec]();
}

// Compression of Zarr chunks: none, gzip, zstd and blosc, by the system's libraries where they are (native-codecs.ts), else by node:zlib and
// WebAssembly. It runs in the writer's worker threads.
// "none" is the default: on a fast disk one core compresses a noisy float32 field four to ten times slower than the disk writes it
// (bench/forecast-io.mjs prints both). Decoding: decoders.ts.

import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { NativeEncode } from "./native-codecs.js";

/** How one chunk becomes bytes on disk, and how that is written down in each format. */
export interface ZarrCodec {
  readonly name: string;
  /** Codec entry of format 3 after "bytes"; undefined when chunks are stored plain. */
  metadataV3(elementBytes: number): unknown;
  /** `compressor` of format 2; undefined when chunks are stored plain. */
  metadataV2(): unknown;
  /** The result may lie in a buffer of output-buffers.ts: `returnBuffer` when it is written. */
  encode(bytes: Uint8Array, elementBytes: number): Promise<Uint8Array>;
}

/** Looks for the library with the first chunk: loading it costs what many chunks do. */
function once(
  find: (libraries: typeof import("./native-codecs.js")) => NativeEncode | undefined,
): () => Promise<NativeEncode | undefined> {
  let found: Promise<NativeEncode | undefined> | undefined;
  return () => {
    found ??= import("./native-codecs.js").then(find);
    return found;
  };
}

const gzipAsync = promisify(gzip);
const gzipLevel = 1;
const systemGzip = once(({ nativeGzip }) => nativeGzip(gzipLevel));

const none: ZarrCodec = {
  name: "none",
  metadataV3: () => undefined,
  metadataV2: () => undefined,
  encode: async (bytes) => bytes,
};

const gzip1: ZarrCodec = {
  name: "gzip",
  metadataV3: () => ({ name: "gzip", configuration: { level: gzipLevel } }),
  metadataV2: () => ({ id: "gzip", level: gzipLevel }),
  encode: async (bytes) => (await systemGzip())?.(bytes) ?? gzipAsync(bytes, { level: gzipLevel }),
};

const zstdLevel = 1;
const systemZstd = once(({ nativeZstd }) => nativeZstd(zstdLevel));

const zstd: ZarrCodec = {
  name: "zstd",
  metadataV3: () => ({ name: "zstd", configuration: { level: zstdLevel, checksum: false } }),
  metadataV2: () => ({ id: "zstd", level: zstdLevel }),
  encode: async (bytes) => {
    const native = await systemZstd();
    if (native) return native(bytes);
    const { default: Zstd } = await import("numcodecs/zstd");
    return Zstd.fromConfig({ id: "zstd", level: zstdLevel }).encode(bytes);
  },
};

const systemBlosc4 = once(({ nativeBlosc }) => nativeBlosc(5, 4));
const systemBlosc8 = once(({ nativeBlosc }) => nativeBlosc(5, 8));

// Byte shuffling before lz4 halves noisy float32 fields at the lowest cost of all (reference measurements in bench/).
const blosc: ZarrCodec = {
  name: "blosc",
  metadataV3: (elementBytes) => ({
    name: "blosc",
    configuration: { cname: "lz4", clevel: 5, shuffle: "shuffle", typesize: elementBytes, blocksize: 0 },
  }),
  metadataV2: () => ({ id: "blosc", cname: "lz4", clevel: 5, shuffle: 1, blocksize: 0 }),
  encode: async (bytes, elementBytes) => {
    const native = await (elementBytes === 8 ? systemBlosc8() : systemBlosc4());
    if (native) return native(bytes);
    const { default: Blosc } = await import("numcodecs/blosc");
    return Blosc.fromConfig({ id: "blosc", cname: "lz4", clevel: 5, shuffle: 1, blocksize: 0 }).encode(bytes);
  },
};

const codecs: Readonly<Record<string, ZarrCodec>> = { none, gzip: gzip1, zstd, blosc };

/** Names accepted by `zarrCodec`. */
export const zarrCodecNames: readonly string[] = Object.keys(codecs);

/** The codec of a name. @throws UsageError for an unknown name */
export function zarrCodec(name: string): ZarrCodec {
  const codec = Object.hasOwn(codecs, name) ? codecs[name] : undefined;
  if (codec) return codec;
  throw new UsageError(`unknown Zarr compression "${name}"`, {
    hint: `${didYouMean(name, zarrCodecNames)} Use one of ${zarrCodecNames.join(", ")}.`.trim(),
  });
}

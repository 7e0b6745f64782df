// Puts the decompression of native-decode.ts in front of zarrita's, which stays for arrays that are not numbers and where a library is
// missing. Also what a chunk may become at most: the chunk that the metadata describes.

import * as zarr from "zarrita";
import type { NativeDecode } from "./native-decode.js";

/** Checksums and headers of other codecs in a chain, around the values themselves. */
const slack = 1024;

type Registered = NonNullable<ReturnType<typeof zarr.registry.get>>;

/** Registers them with zarrita. They are loaded with the first chunk that needs them. */
export function registerNativeDecoders(): void {
  for (const name of ["zstd", "blosc", "gzip"] as const) {
    const original = zarr.registry.get(name)!;
    const find = async () => {
      const [Other, { nativeDecoder }] = await Promise.all([original(), import("./native-decode.js")]);
      const decode = nativeDecoder(name);
      return decode ? withDecoder(Other, decode) : Other;
    };
    let found: ReturnType<typeof find> | undefined;
    const wrapped = () => {
      found ??= find();
      return found;
    };
    for (const key of [name, `numcodecs.${name}`]) zarr.registry.set(key, wrapped as Registered);
  }
}

type CodecClass = Awaited<ReturnType<Registered>>;

/** A codec of zarrita's that decodes arrays of numbers in another way. */
function withDecoder(Other: CodecClass, decode: NativeDecode): CodecClass {
  return {
    fromConfig(configuration: never, meta: { readonly dataType: string; readonly shape: readonly number[] }) {
      const codec = Other.fromConfig(configuration, meta as never);
      const bits = /^(?:u?int|float)(\d+)$/.exec(meta.dataType)?.[1];
      if (bits === undefined) return codec;
      const limit = meta.shape.reduce((product, size) => product * size, Number(bits) / 8) + slack;
      return { kind: "bytes_to_bytes", encode: codec.encode, decode: (bytes: Uint8Array) => decode(bytes, limit) };
    },
  } as unknown as CodecClass;
}

// An object store that fetches neighbouring parts of an object with one request: the chunks of a shard that are asked for in the same
// moment. How ranges are merged: byte-ranges.ts. Not here: caching; it sees the parts, not the requests (cached-store.ts).

import type { ObjectStore, ObjectStream, StreamOptions } from "../io/remote/object-store.js";
import { type ByteRange, mergeRanges } from "./byte-ranges.js";

/** A part that somebody waits for. */
interface Wanted extends ByteRange {
  readonly resolve: (stream: ObjectStream) => void;
  readonly reject: (error: unknown) => void;
}

/** Puts the merging of ranges before a store. Only parts with a beginning and an end are merged. */
export function coalescedStore(store: ObjectStore): ObjectStore {
  const waiting = new Map<string, Wanted[]>();

  const fetchGroup = async (
    path: string,
    start: number,
    end: number,
    parts: readonly Wanted[],
    signal?: AbortSignal,
  ) => {
    try {
      const { body, offset, ...about } = await store.stream(path, { start, end, signal });
      if (parts.length === 1) return parts[0]!.resolve({ body, offset, ...about });
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      const bytes = Buffer.concat(pieces);
      for (const part of parts) {
        const own = bytes.subarray(part.start - offset, part.end - offset);
        part.resolve({ ...about, offset: part.start, body: new Response(new Uint8Array(own)).body! });
      }
    } catch (error) {
      for (const part of parts) part.reject(error);
    }
  };

  return {
    ...store,
    stream(path, options: StreamOptions = {}) {
      const { start, end, etag, signal } = options;
      if (start === undefined || start < 0 || end === undefined || etag !== undefined)
        return store.stream(path, options);
      return new Promise<ObjectStream>((resolve, reject) => {
        const queue = waiting.get(path);
        if (queue) queue.push({ start, end, resolve, reject });
        else {
          waiting.set(path, [{ start, end, resolve, reject }]);
          // A moment for the others: each looks into the cache on the disk before it asks.
          setTimeout(() => {
            const ranges = waiting.get(path)!;
            waiting.delete(path);
            for (const group of mergeRanges(ranges)) void fetchGroup(path, group.start, group.end, group.parts, signal);
          }, 5);
        }
      });
    },
  };
}

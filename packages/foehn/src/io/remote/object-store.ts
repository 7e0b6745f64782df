// Where bytes are kept under a path: a folder, a web server, an S3 bucket. One contract, and the way from an address to a store.
// Readers of Zarr and GRIB take ranges from it; packages are downloaded through it. Not here: caching (hub/cache), retries (http.ts).

import { UsageError } from "../../core/errors.js";
import { openFileStore } from "./file-store.js";
import type { HttpOptions } from "./http.js";
import { openHttpStore } from "./http-store.js";
import { publicUrl } from "./public-url.js";
import { openS3Store, type S3Options } from "./s3-store.js";

/** What is known of an object without reading it. */
export interface ObjectInfo {
  readonly size: number | undefined;
  readonly etag?: string | undefined;
  /** As the server writes it. */
  readonly lastModified?: string | undefined;
  /** True when parts of it can be read. */
  readonly ranges: boolean;
}

/** Options of a call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Which bytes: from `start` (negative: so many from the end) up to but not including `end`; default all. */
export interface RangeOptions extends CallOptions {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** Options of `ObjectStore.stream`. */
export interface StreamOptions extends CallOptions {
  /** Negative: so many bytes from the end, without `end`. */
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** Only a part of this very version; of another one the whole is sent. */
  readonly etag?: string | undefined;
}

/** A body on its way. */
export interface ObjectStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Bytes of the whole object, when the server says so. */
  readonly size: number | undefined;
  /** Where the body begins: `start`, or 0 when the server sends the whole. */
  readonly offset: number;
  /** True when the body is the part that was asked for, false when it is the whole object. */
  readonly partial: boolean;
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** Objects under paths. Paths are relative, with "/"; "" is the address itself. Those that would lead out are a UsageError. */
export interface ObjectStore {
  /** For messages: the address without secrets. */
  readonly description: string;
  /** What is there, or undefined when nothing is. @throws NetworkError, StorageError */
  head(path: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /**
   * Bytes of an object, in memory. A range that ends behind the object's end gives what there is.
   * @throws NetworkError, StorageError; `isNotFound` (http.ts) tells a missing object
   */
  read(path: string, options?: RangeOptions): Promise<Uint8Array>;
  /** An object from `start` on, as it comes. @throws as `read`; the body fails with NetworkError when it breaks off */
  stream(path: string, options?: StreamOptions): Promise<ObjectStream>;
  /** Objects whose path begins with `prefix`; `shallow`: names behind the next "/" are given once, as `folder/`. */
  list?(
    prefix: string,
    options?: CallOptions & { readonly shallow?: boolean | undefined },
  ): AsyncIterable<{ readonly path: string; readonly size?: number | undefined }>;
  /** Writes an object, replacing an older one; as a whole or not at all. @throws NetworkError, StorageError */
  put?(path: string, body: Uint8Array | { readonly file: string }, options?: CallOptions): Promise<void>;
}

/** Options of `openObjectStore`. What does not concern the scheme is ignored. */
export interface ObjectStoreOptions
  extends S3Options,
    Pick<HttpOptions, "fetch" | "retries" | "retryDelayMs" | "timeoutMs"> {
  /** Bearer token for http and https. */
  readonly token?: string | undefined;
}

/**
 * The store behind an address: a path, file:///path, http(s)://, s3://bucket/prefix, or gs://bucket/prefix (public buckets).
 * @throws UsageError for another scheme
 */
export function openObjectStore(uri: string, options: ObjectStoreOptions = {}): ObjectStore {
  // A bearer token is for web servers: no bucket may see it, and S3 refuses what carries one.
  const { token: _, ...bucket } = options;
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(uri)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
    case "file":
      return openFileStore(uri);
    case "http":
    case "https":
      return openHttpStore(uri, options);
    case "s3":
      return openS3Store(uri, bucket);
    case "gs":
      // Google's XML interface answers like S3; without its own keys only public buckets are open.
      return openS3Store(uri, {
        ...bucket,
        endpoint: bucket.endpoint ?? "https://storage.googleapis.com",
        anonymous: true,
      });
    default:
      throw new UsageError(`there is no store for "${scheme}:" addresses: ${publicUrl(uri)}`, {
        hint: "give a path, file:///, https://, s3:// or gs://",
      });
  }
}

// What an address of data stands for: a Zarr store, which is read where it is, or a file, which is fetched to the data cache once and
// opened there. Files are not read by ranges: HDF5 hops through a file in many small steps, each of which would cost a request.
// Not here: GRIB files with an index beside them, of which single fields are fetched.

import { basename } from "node:path/posix";
import { FormatError, NetworkError } from "../core/errors.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { isNotFound } from "../io/remote/http.js";
import { type ObjectStore, type ObjectStoreOptions, openObjectStore } from "../io/remote/object-store.js";
import { cachedStore, fetchFile } from "./cached-store.js";
import { coalescedStore } from "./coalesced-store.js";
import { DataCache } from "./data-cache.js";
import { type FileKind, sniffBytes, sniffFile } from "./sniff.js";

/** How remote data are reached and kept. */
export interface RemoteDataOptions extends ObjectStoreOptions {
  /** Default: the data cache of this machine. */
  readonly cache?: DataCache | undefined;
  /** Nothing is fetched; default `FOEHN_OFFLINE`. */
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of downloads of files. */
  readonly progress?: Progress | undefined;
}

/** What is behind an address. */
export type RemoteData =
  | { readonly kind: "zarr"; readonly store: ObjectStore }
  /** `path` is the file in the data cache. */
  | { readonly kind: FileKind; readonly path: string };

const fileEndings = /\.(nc|nc4|cdf|netcdf|h5|hdf5|hdf|grib|grib1|grib2|grb|grb2)$/i;
const zarrDocuments = /(^|\/)(zarr\.json|\.z(metadata|group|array|attrs))$/;

/**
 * Finds out what is behind an address.
 * @throws NetworkError, also when there is nothing; FormatError for a file that holds no fields; StorageError
 */
export async function openRemote(address: string, options: RemoteDataOptions = {}): Promise<RemoteData> {
  const { cache = new DataCache(), offline, signal, progress = silentProgress, ...network } = options;
  const whole = openObjectStore(address, network);
  const store = coalescedStore(whole);
  const identity = `${network.endpoint ?? serviceOf(address)}`;
  const zarr = (): RemoteData => ({
    kind: "zarr",
    store: cachedStore(store, { cache, identity, offline, mutable: (path) => zarrDocuments.test(path) }),
  });
  const path = pathOf(address);
  if (/\.zarr[^/]*$/i.test(path)) return zarr();
  if (!fileEndings.test(path)) {
    // Nothing under the address itself, or a web server's list of a folder: it can only be a store.
    const head = await beginning(cachedStore(store, { cache, identity, offline, mutable: () => true }), signal);
    if (head === undefined) return zarr();
    const { kind, guess } = sniffBytes(head);
    if (!kind) throw new FormatError(guess.what, { where: store.description, hint: guess.hint });
  }
  let started = false;
  const file = await fetchFile(whole, "", {
    cache,
    identity,
    offline,
    signal,
    name: basename(path) || "data",
    onProgress(done, total) {
      if (!started) progress.start(`fetching ${basename(path)}`, total);
      started = true;
      progress.update(done);
    },
  }).finally(() => {
    if (started) progress.finish();
  });
  const { kind, guess } = sniffFile(file);
  if (!kind) throw new FormatError(guess.what, { where: store.description, hint: guess.hint });
  return { kind, path: file };
}

/** The first bytes; undefined when there is no object, or a web page in its place. */
async function beginning(store: ObjectStore, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
  try {
    const head = await store.read("", { start: 0, end: 4096, signal });
    return /^\s*<(!doctype|html)/i.test(Buffer.from(head).toString("latin1")) ? undefined : head;
  } catch (error) {
    // Buckets that do not let us list say "forbidden" of what is not there.
    if (isNotFound(error) || (error instanceof NetworkError && error.status === 403)) return undefined;
    throw error;
  }
}

/** The path of an address, without its query and a slash at its end. */
function pathOf(address: string): string {
  return (/^https?:/i.test(address) ? new URL(address).pathname : address).replace(/\/+$/, "");
}

/** S3 services may have buckets of the same name. */
function serviceOf(address: string): string {
  if (!/^s3:/i.test(address)) return "";
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, S3_ENDPOINT } = process.env;
  return AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL || S3_ENDPOINT || "";
}

// A package: files under an address, wherever that is. Nothing is brought here before it is used; what is given out was checked against
// the lock file, the store's hashes and the package's own table of files, as far as there are such. Not here: what metadata.json means
// (manifest.ts, model-package.ts), whether its code may run (trust.ts).

import { createReadStream, type ReadStream, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { z } from "zod";
import { InterruptedError, ModelError, NetworkError, UsageError } from "../core/errors.js";
import { sha256File } from "../core/files.js";
import type { Progress } from "../core/progress.js";
import { didYouMean } from "../core/suggest.js";
import { checkedPath } from "../io/remote/object-path.js";
import { type ObjectStoreOptions, openObjectStore } from "../io/remote/object-store.js";
import { publicUrl } from "../io/remote/public-url.js";
import { unpacked } from "./archive/unpacked.js";
import { splitArchivePath } from "./archive-path.js";
import { ModelCache, type ModelCacheOptions } from "./cache/model-cache.js";
import { unpackedFolder } from "./cache/place.js";
import { pinnedRevision } from "./cache/refs.js";
import { localFile, localFiles } from "./local-folder.js";
import { type LockedPackage, readLock } from "./lock.js";
import type { Manifest } from "./manifest.js";
import { manifestName } from "./manifest-name.js";
import { isCommit, openHfStore, resolveHfRevision } from "./stores/hf-store.js";
import { openNgcStore } from "./stores/ngc-store.js";
import type { PackageFile, PackageStore } from "./stores/package-store.js";
import { openPlainStore } from "./stores/plain-store.js";
import { type PackageAddress, parsePackageUri, type ResolveOptions, schemeOf } from "./uri.js";

/** More than any list of files needs, and less than what fills a memory. */
const manifestBytes = 64 << 20;

/** Options of `new Package`. */
export interface PackageOptions extends ResolveOptions, Omit<ObjectStoreOptions, "region" | "partBytes"> {
  /** The cache, its options, or its folder. Default: see `modelCacheFolder`. */
  readonly cache?: ModelCache | ModelCacheOptions | string | undefined;
  /** Token of the store (Hugging Face, NGC, Bearer for https). Default: the store's environment variable. */
  readonly token?: string | undefined;
  /** The user vouches for the package's code. */
  readonly trust?: boolean | undefined;
  /** Use only what is in the cache. Default FOEHN_OFFLINE. */
  readonly offline?: boolean | undefined;
  /** Ask the server again for what can have changed there. */
  readonly refresh?: boolean | undefined;
  /** Lock file; default foehn.lock.json in the working directory, if there; false: none. */
  readonly lock?: string | false | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of one file. */
export interface ResolveFileOptions {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress | undefined;
  readonly onBytes?: (done: number, total: number | undefined) => void;
}

/** Files under an address. It holds no file handles. */
export class Package {
  /** The address as it was given, without passwords and signatures: it is shown, and written into records. */
  readonly uri: string;
  readonly address: PackageAddress;
  /** True when its files lie on this machine, outside of the cache. */
  readonly isLocal: boolean;
  /** True when its code may run: the user vouches for it, or it is local. */
  readonly trusted: boolean;
  readonly cache: ModelCache;
  readonly #options: PackageOptions;
  readonly #checked = new Map<string, Promise<string | undefined>>();
  #store: Promise<PackageStore> | undefined;
  #lock: { readonly entry: LockedPackage | undefined } | undefined;
  #table: Promise<ReadonlyMap<string, PackageFile> | undefined> | undefined;

  /** @throws UsageError for what is no address, or a local folder that is not there */
  constructor(uri: string, options: PackageOptions = {}) {
    this.uri = /^https?:.*[?@]/i.test(uri) ? publicUrl(uri) : uri;
    this.address = parsePackageUri(uri, options);
    this.isLocal = this.address.kind === "folder" || this.address.kind === "builtin";
    this.trusted = options.trust === true || this.isLocal;
    this.#options = options;
    const { cache } = options;
    if (cache instanceof ModelCache) this.cache = cache;
    else {
      const { offline, refresh } = options;
      const own = typeof cache === "string" ? { folder: cache } : cache;
      this.cache = new ModelCache({ offline, refresh, ...own });
    }
  }

  /** Last part of the address: what the package is called when its metadata.json does not say. */
  get name(): string {
    const { address } = this;
    if (address.path !== "") return basename(address.path);
    if (address.kind === "folder") return basename(address.folder);
    if (address.kind === "hf") return basename(address.repo);
    if (address.kind === "ngc") return address.model;
    return address.kind === "builtin" ? address.name : basename(address.base.replace(/[?#].*$/, ""));
  }

  /**
   * The local path of a file, which is brought here first if need be. A path may lead into a zip or tar: `fcn.zip/fcn/global_means.npy`.
   * @returns absolute path that ends in the file's own path
   * @throws UsageError for a path that leads out; ModelError when there is no such file, with the nearest, or when it is damaged;
   * NetworkError when it cannot be had; StorageError; InterruptedError
   */
  async resolve(path: string, options: ResolveFileOptions = {}): Promise<string> {
    const found = await this.#find(path, options);
    if (found !== undefined) return found;
    throw await this.#missing(path);
  }

  /** The same as `resolve`; the name that earth2mip has for it. */
  get(path: string, options: ResolveFileOptions = {}): Promise<string> {
    return this.resolve(path, options);
  }

  /** True when there is such a file; it is brought here. @throws as `resolve`, except for a file that is not there */
  async has(path: string, options: ResolveFileOptions = {}): Promise<boolean> {
    // A file that the package's own list, or the lock file, does not know is not there for anybody.
    const known = path === manifestName || splitArchivePath(path) ? undefined : await this.#knownNames();
    if (known && !known(path)) return false;
    return (await this.#find(path, options)) !== undefined;
  }

  /** A stream of a file's bytes; the file is brought here first. @throws as `resolve` */
  async open(path: string, options: ResolveFileOptions = {}): Promise<ReadStream> {
    return createReadStream(await this.resolve(path, options));
  }

  /**
   * All files, with what is known of them.
   * @throws UsageError when neither the store nor metadata.json can tell; NetworkError
   */
  async list(): Promise<readonly PackageFile[]> {
    const { address } = this;
    const table = await this.#tableOfFiles();
    const locked = this.#locked();
    const withHashes = (files: readonly PackageFile[]): PackageFile[] =>
      files.map((file) => ({ ...file, ...table?.get(file.path), ...locked?.files[file.path] }));
    if (address.kind === "builtin") return [];
    const inner = splitArchivePath(`${address.path}/-`);
    if (inner) {
      const folder = await this.#archive(inner.archive, {});
      const prefix = inner.member.slice(0, -1);
      const files = await localFiles(folder);
      return withHashes(
        files
          .filter(({ path }) => path.startsWith(prefix))
          .map((file) => ({ ...file, path: file.path.slice(prefix.length) })),
      );
    }
    if (address.kind === "folder") return withHashes(await localFiles(address.folder));
    if (locked) return Object.entries(locked.files).map(([path, file]) => ({ path, ...file }));
    const store = await this.store();
    const prefix = address.path === "" ? "" : `${address.path}/`;
    const files = this.cache.offline ? undefined : await store.list(this.#options.signal);
    const below = (all: readonly PackageFile[]): PackageFile[] =>
      withHashes(
        all
          .filter(({ path }) => path.startsWith(prefix))
          .map((file) => ({ ...file, path: file.path.slice(prefix.length) })),
      );
    if (files) return below(files);
    if (table) return [{ path: manifestName }, ...table.values()];
    if (this.cache.offline) {
      const here = below(await this.cache.files(store));
      if (here.length > 0) return here;
      throw new NetworkError(`${this.uri} is not in the cache, and Foehn is offline`, {
        where: this.cache.folder,
        hint: `where there is a network, run \`foehn package pull ${this.uri}\`, or unset FOEHN_OFFLINE`,
      });
    }
    const isThere = await this.has(manifestName).catch(() => false);
    throw new UsageError(`the files of ${this.uri} cannot be listed${isThere ? "" : `: there is no ${manifestName}`}`, {
      hint: isThere
        ? 'a web server has no list: metadata.json needs a table "files"; or name the files'
        : "check the address; a web server has no list, so files of what is no package must be named",
    });
  }

  /** What metadata.json says. @throws ModelError when there is none; ConfigError when it is wrong */
  async metadata(): Promise<Manifest> {
    const file = await this.resolve(manifestName);
    const { readManifest } = await import("./manifest.js"); // brings the engine along
    return readManifest(file);
  }

  /**
   * What a file is: its size and hash, after it was brought here and checked.
   * @throws as `resolve`
   */
  async describe(
    path: string,
    options: ResolveFileOptions = {},
  ): Promise<PackageFile & { sha256: string; size: number }> {
    const file = await this.resolve(path, options);
    const { address } = this;
    const full = address.path === "" ? path : `${address.path}/${path}`;
    if (!this.isLocal && !splitArchivePath(full)) {
      const entry = await this.cache.peek(await this.store(), full);
      if (entry) return { path, sha256: entry.sha256, size: entry.size };
    }
    return { path, ...(await sha256File(file)) };
  }

  /** The store behind the address, at one revision. @throws UsageError for a local package; NetworkError */
  store(): Promise<PackageStore> {
    this.#store ??= this.#openStore().catch((error: unknown) => {
      this.#store = undefined;
      throw error;
    });
    return this.#store;
  }

  /** What the lock file says of this package. */
  #locked(): LockedPackage | undefined {
    if (this.#options.lock === false || this.isLocal) return undefined;
    if (this.#lock === undefined) {
      const packages = readLock(this.#options.lock)?.packages ?? {};
      this.#lock = { entry: Object.hasOwn(packages, this.uri) ? packages[this.uri] : undefined };
    }
    return this.#lock.entry;
  }

  async #openStore(): Promise<PackageStore> {
    const { address } = this;
    const { cache: _, progress: __, trust: ___, lock: ____, cwd: _____, ...network } = this.#options;
    switch (address.kind) {
      case "plain":
        return openPlainStore(address.base, network);
      case "ngc":
        return openNgcStore(address, network);
      case "hf": {
        const locked = this.#locked()?.revision;
        if (isCommit(locked)) return openHfStore(address, locked, network);
        if (isCommit(address.revision)) return openHfStore(address, address.revision, network);
        const uri = `hf://${address.repo}@${encodeURIComponent(address.revision ?? "main")}`;
        const commit = await pinnedRevision(this.cache, uri, () => resolveHfRevision(address, network));
        return openHfStore(address, commit, network);
      }
      default:
        throw new UsageError(`${this.uri} is on this machine, not in a store`);
    }
  }

  #find(path: string, options: ResolveFileOptions): Promise<string | undefined> {
    let found = this.#checked.get(path);
    const isOwn = found === undefined;
    if (found === undefined) {
      found = this.#bring(path, options);
      this.#checked.set(path, found);
      // What failed, or was not there, may be there the next time.
      found.then(
        (file) => file === undefined && this.#checked.delete(path),
        () => this.#checked.delete(path),
      );
    }
    return found.catch((error: unknown) => {
      // Whoever began it was stopped; this call was not.
      const { signal = this.#options.signal } = options;
      if (error instanceof InterruptedError && !isOwn && !signal?.aborted) return this.#find(path, options);
      throw error;
    });
  }

  async #bring(path: string, options: ResolveFileOptions, refusedIsMissing = false): Promise<string | undefined> {
    const { address } = this;
    if (checkedPath(path, this.uri) === "") {
      throw new UsageError(`"" is not a file of ${this.uri}`, { hint: "name a file" });
    }
    if (address.kind === "builtin") return undefined;
    const listed = path === manifestName ? undefined : await this.#listed(path);
    const full = address.path === "" ? path : `${address.path}/${path}`;
    const inner = splitArchivePath(full);
    if (inner) return localFile(await this.#archive(inner.archive, options), inner.member, listed);
    return this.#whole(full, listed, options, refusedIsMissing);
  }

  /** A file of the store, under its path there. */
  async #whole(
    full: string,
    listed: PackageFile | undefined,
    options: ResolveFileOptions,
    refusedIsMissing = false,
  ): Promise<string | undefined> {
    const { address } = this;
    if (address.kind === "folder") return localFile(address.folder, full, listed);
    const { signal = this.#options.signal, progress = this.#options.progress, onBytes } = options;
    const prefix = address.path === "" ? "" : `${address.path}/`;
    const locked = this.#locked()?.files[full.slice(prefix.length)];
    const expected = locked ?? listed;
    return this.cache.get(await this.store(), full, {
      ...(expected === undefined ? {} : { expected: { ...expected, path: full } }),
      signal,
      progress,
      refusedIsMissing,
      ...(full.slice(prefix.length) === manifestName ? { maxBytes: manifestBytes } : {}),
      ...(onBytes === undefined ? {} : { onBytes }),
    });
  }

  /** The folder of an unpacked archive. */
  async #archive(archive: string, options: ResolveFileOptions): Promise<string> {
    const { address } = this;
    const prefix = "path" in address && address.path !== "" ? `${address.path}/` : "";
    const own = archive.startsWith(prefix) ? archive.slice(prefix.length) : undefined;
    const listed = own === undefined ? undefined : await this.#listed(own);
    const file = await this.#whole(archive, listed, options);
    if (file === undefined) throw await this.#missing(archive);
    return unpacked(file, { cache: unpackedFolder(this.cache.folder), signal: options.signal ?? this.#options.signal });
  }

  /** What the lock file or the table of files says of a file. @throws ModelError when there is a table and the file is not in it */
  async #listed(path: string): Promise<PackageFile | undefined> {
    const locked = this.#locked();
    if (locked) {
      const file = Object.hasOwn(locked.files, path) ? locked.files[path] : undefined;
      if (file) return { path, ...file };
      if (!splitArchivePath(path)) {
        throw new ModelError(`the lock file does not list ${path} of ${this.uri}`, {
          hint: didYouMean(path, Object.keys(locked.files)) || "run `foehn package lock` again",
        });
      }
    }
    const table = await this.#tableOfFiles();
    if (table === undefined) return undefined;
    const file = table.get(path);
    if (file || splitArchivePath(path)) return file;
    throw new ModelError(`the package ${this.uri} lists no file "${path}"`, { hint: didYouMean(path, table.keys()) });
  }

  /** Whether a name is in the lock file, or in the table of files; undefined where there is neither. */
  async #knownNames(): Promise<((path: string) => boolean) | undefined> {
    const locked = this.#locked();
    if (locked) return (path) => Object.hasOwn(locked.files, path);
    const table = await this.#tableOfFiles();
    return table && ((path) => table.has(path));
  }

  /** The table `files` of metadata.json; undefined when there is none. */
  #tableOfFiles(): Promise<ReadonlyMap<string, PackageFile> | undefined> {
    this.#table ??= this.#readTable().catch((error: unknown) => {
      this.#table = undefined;
      throw error;
    });
    return this.#table;
  }

  async #readTable(): Promise<ReadonlyMap<string, PackageFile> | undefined> {
    let file: string | undefined;
    try {
      file = await this.#bring(manifestName, {}, true);
    } catch (error) {
      // Offline and never looked at: packages without a metadata.json must work then, too.
      if (!(error instanceof NetworkError && error.status === undefined && this.cache.offline)) throw error;
    }
    if (file === undefined) return undefined;
    try {
      const { files } = tableSchema.parse(JSON.parse(readFileSync(file, "utf8")));
      return new Map(Object.entries(files).map(([path, rest]) => [path, { path, ...rest }]));
    } catch {
      return undefined; // no table, or another kind of metadata.json: metadata() says what is wrong with it
    }
  }

  /** Says that there is no such file, and which ones there are. */
  async #missing(path: string): Promise<ModelError | UsageError> {
    const { address } = this;
    const where = address.kind === "folder" ? address.folder : this.uri;
    if (address.kind === "builtin") {
      return new ModelError(`${this.uri} is part of Foehn and has no files`, { hint: "it needs none" });
    }
    const names = (await this.list().catch(() => [])).map((file) => file.path);
    if (path === manifestName && names.length === 0) {
      return new UsageError(`there is no package at ${where}: it has no ${manifestName}`, {
        hint: (await this.#siblings()) || "a package is a folder with a metadata.json",
      });
    }
    const near = didYouMean(path, names);
    const some = names.length > 0 ? `it has ${names.slice(0, 8).join(", ")}${names.length > 8 ? " …" : ""}` : "";
    return new ModelError(`the package ${where} has no file "${path}"`, { hint: near || some });
  }

  /** Names beside the package in a bucket, for a mistyped one. */
  async #siblings(): Promise<string> {
    const { address } = this;
    if (address.kind !== "plain" || !/^(s3|gs)$/.test(schemeOf(address.base) ?? "")) return "";
    try {
      const around = openObjectStore(dirname(address.base), this.#options);
      const names: string[] = [];
      for await (const { path } of around.list?.("", { shallow: true }) ?? []) names.push(path.replace(/\/$/, ""));
      return didYouMean(this.name, names);
    } catch {
      return "";
    }
  }
}

const tableSchema = z.object({
  files: z.record(z.string(), z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() })),
});

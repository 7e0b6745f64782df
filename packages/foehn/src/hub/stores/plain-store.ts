// Packages on web servers and in buckets: files below an address, without revisions. What arrives is known by the package's own table of
// files (metadata.json), which package.ts looks at. Not here: the requests (io/remote).

import { type ObjectStoreOptions, openObjectStore } from "../../io/remote/object-store.js";
import { publicUrl } from "../../io/remote/public-url.js";
import type { PackageFile, PackageStore } from "./package-store.js";

/** The files below an http(s), s3 or gs address. @throws UsageError */
export function openPlainStore(uri: string, options: ObjectStoreOptions = {}): PackageStore {
  const objects = openObjectStore(uri, options);
  const id = publicUrl(uri).replace(/\?.*$/, "").replace(/\/+$/, "");
  return {
    id,
    immutable: false,
    objects,
    async list(signal) {
      if (!objects.list) return undefined;
      const files: PackageFile[] = [];
      for await (const { path, size } of objects.list("", { signal })) files.push({ path, size });
      return files;
    },
    async expected() {
      return undefined;
    },
  };
}

// A folder (or a single file) as a store: the local end of the same contract as web servers and buckets.
// Not here: links that lead out of a package, which hub/ refuses.

import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../core/errors.js";
import { atomicWrite, toStorageError } from "../../core/files.js";
import { checkedPath } from "./object-path.js";
import type { ObjectStore } from "./object-store.js";

/**
 * The local path of a plain path or a file: address.
 * @throws UsageError for an address that names another machine
 */
export function localPath(text: string): string {
  if (!/^file:/i.test(text)) return resolve(text);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(`"${text}" is not a file address`, { hint: "write file:///absolute/path" });
  }
  // `file://models/a` names the host "models": earth2mip silently opened /a. Say what was meant instead.
  if (url.host !== "" && url.host !== "localhost") {
    throw new UsageError(`"${text}" names a machine called "${url.host}"`, {
      hint: `did you mean "file:///${url.host}${url.pathname}"?`,
    });
  }
  try {
    return fileURLToPath(new URL(`file://${url.pathname}`));
  } catch (error) {
    throw new UsageError(`"${text}" is not a file address`, {
      hint: "a percent sign is %25, a slash is /",
      cause: error,
    });
  }
}

/** The files below a folder; the path "" is the folder or file itself. */
export function openFileStore(text: string): ObjectStore {
  const root = localPath(text);
  const pathOf = (path: string): string => (path === "" ? root : join(root, checkedPath(path, root)));
  return {
    description: root,
    async head(path) {
      const found = await stat(pathOf(path)).catch(() => undefined);
      if (!found?.isFile()) return undefined;
      return { size: found.size, lastModified: found.mtime.toUTCString(), ranges: true };
    },
    async read(path, { start = 0, end } = {}) {
      const full = pathOf(path);
      try {
        const handle = await open(full, "r");
        try {
          const { size } = await handle.stat();
          const from = start < 0 ? Math.max(0, size + start) : Math.min(start, size);
          const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(end ?? size, size) - from));
          let at = 0;
          while (at < bytes.length) {
            const { bytesRead } = await handle.read(bytes, at, bytes.length - at, from + at);
            if (bytesRead === 0) break; // somebody cut the file meanwhile
            at += bytesRead;
          }
          return bytes.subarray(0, at);
        } finally {
          await handle.close();
        }
      } catch (error) {
        throw toStorageError(error, full);
      }
    },
    async stream(path, { start = 0, end, signal } = {}) {
      const full = pathOf(path);
      try {
        const { size, mtime } = await stat(full);
        const from = start < 0 ? Math.max(0, size + start) : start;
        const options = { start: from, highWaterMark: 1 << 18, ...(end === undefined ? {} : { end: end - 1 }) };
        const file = createReadStream(full, { ...options, ...(signal === undefined ? {} : { signal }) });
        const body = Readable.toWeb(file) as ReadableStream<Uint8Array>;
        return { body, size, offset: from, partial: true, lastModified: mtime.toUTCString() };
      } catch (error) {
        throw toStorageError(error, full);
      }
    },
    async *list(prefix, { shallow } = {}) {
      checkedPath(prefix.replace(/\/$/, ""), root);
      yield* walk(root, "", prefix, shallow === true);
    },
    async put(path, body) {
      const full = pathOf(path);
      if (body instanceof Uint8Array) return atomicWrite(full, body);
      await mkdir(dirname(full), { recursive: true }).catch((error: unknown) => {
        throw toStorageError(error, full);
      });
      return atomicWrite(full, (temporary) => copyFile(body.file, temporary));
    },
  };
}

async function* walk(
  root: string,
  folder: string,
  prefix: string,
  shallow: boolean,
): AsyncGenerator<{ path: string; size?: number }> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    throw toStorageError(error, join(root, folder));
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory()) {
      const below = `${path}/`;
      if (!below.startsWith(prefix) && !prefix.startsWith(below)) continue;
      if (shallow && below.startsWith(prefix) && below !== prefix) yield { path: below };
      else yield* walk(root, below, prefix, shallow);
    } else if (path.startsWith(prefix)) {
      const found = await stat(join(root, path)).catch(() => undefined);
      if (found?.isFile()) yield { path, size: found.size };
      else if (shallow && found?.isDirectory()) yield { path: `${path}/` };
    }
  }
}

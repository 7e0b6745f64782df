// Paths inside a store or a package: relative, "/" between names, nothing that could lead out of it on any system or server.
// Not here: what a store does with them.

import { UsageError } from "../../core/errors.js";

/** True for a relative path of plain names: nothing that could leave the folder, on any system. */
export function isInside(path: string): boolean {
  if (path === "" || path.includes("\\") || path.includes("\0") || /^[A-Za-z]:/.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/**
 * The path as it is, when it stays inside. Also refused are names that turn into ".." or "/" when a server decodes them once more.
 * "" is the store's address itself.
 * @throws UsageError
 */
export function checkedPath(path: string, store: string): string {
  if (path === "") return path;
  if (isInside(path) && !/%(2e|2f|5c|00)/i.test(path)) return path;
  throw new UsageError(`${JSON.stringify(path)} is not a path inside ${store}`, {
    hint: 'give a relative path with "/" between names and without ".."',
  });
}

/** The path with every name escaped as RFC 3986 wants it, as S3 signs it. */
export function encodePath(path: string): string {
  return path
    .split("/")
    .map((name) =>
      encodeURIComponent(name).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join("/");
}

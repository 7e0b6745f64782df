// The metadata documents of a Zarr group, found with as few requests as the store allows: consolidated ones come in one (format 2:
// `.zmetadata`, format 3: inline in `zarr.json`), others cost one listing and one request per array.
// Formats: zarr-specs.readthedocs.io (core v2 and v3); consolidation as the Python library writes it.

import { FormatError, NetworkError } from "../../core/errors.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { isNotFound } from "../remote/http.js";
import type { ObjectStore } from "../remote/object-store.js";

/** What a group consists of. */
export interface GroupDocuments {
  readonly format: 2 | 3;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Names of the arrays directly below the group, sorted. */
  readonly arrays: readonly string[];
  /** The documents of those arrays, by key (`t2m/zarr.json`, `t2m/.zarray`, `t2m/.zattrs`). */
  readonly documents: ReadonlyMap<string, Json>;
}

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** Options of `readGroup`. */
export interface GroupOptions {
  /** Names of the arrays, for stores that are not consolidated on servers that cannot list. */
  readonly arrays?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the metadata of a group.
 * @returns undefined when there is neither a group nor an array
 * @throws FormatError for an array in place of a group, for damaged documents, and for a store whose arrays cannot be found
 */
export async function readGroup(store: ObjectStore, options: GroupOptions = {}): Promise<GroupDocuments | undefined> {
  const { signal } = options;
  // Buckets that do not let us list answer "forbidden" for what is not there: it counts when nothing else is found.
  let forbidden: NetworkError | undefined;
  const get = (key: string): Promise<Json | undefined> =>
    document(store, key, signal).catch((error: unknown) => {
      if (!(error instanceof NetworkError) || error.status !== 403) throw error;
      forbidden ??= error;
      return undefined;
    });
  const [version3, version2] = await Promise.all([get("zarr.json"), get(".zmetadata")]);
  if (version3) {
    if (version3.node_type === "array") throw notAGroup(store);
    const attributes = object(version3.attributes);
    const inline = object(object(version3.consolidated_metadata).metadata);
    const members = Object.entries(inline).filter(([name, json]) => !name.includes("/") && isArray3(json));
    if (members.length > 0)
      return group(
        3,
        attributes,
        members.map(([name, json]) => [name, { "zarr.json": object(json) }]),
      );
    const names = options.arrays ?? (await folders(store, signal));
    const found = await Promise.all(
      names.map(async (name) => [name, { "zarr.json": await get(`${name}/zarr.json`) }] as const),
    );
    return group(
      3,
      attributes,
      found.filter(([, docs]) => isArray3(docs["zarr.json"])),
    );
  }
  if (version2) {
    const metadata = object(version2.metadata);
    const names = Object.keys(metadata).flatMap((key) => /^([^/]+)\/\.zarray$/.exec(key)?.[1] ?? []);
    const parts = (name: string) => ({
      ".zarray": object(metadata[`${name}/.zarray`]),
      ".zattrs": object(metadata[`${name}/.zattrs`]),
    });
    return group(
      2,
      object(metadata[".zattrs"]),
      names.map((name) => [name, parts(name)]),
    );
  }
  const [marker, attributes, single] = await Promise.all([get(".zgroup"), get(".zattrs"), get(".zarray")]);
  if (single) throw notAGroup(store);
  if (!marker) {
    if (forbidden) throw forbidden;
    return undefined;
  }
  const names = options.arrays ?? (await folders(store, signal));
  const found = await Promise.all(
    names.map(async (name) => {
      const [array, attrs] = await Promise.all([get(`${name}/.zarray`), get(`${name}/.zattrs`)]);
      return [name, { ".zarray": array, ".zattrs": attrs ?? {} }] as const;
    }),
  );
  return group(
    2,
    attributes ?? {},
    found.filter(([, docs]) => docs[".zarray"] !== undefined),
  );
}

function group(
  format: 2 | 3,
  attributes: Json,
  members: readonly (readonly [name: string, documents: Readonly<Record<string, Json | undefined>>])[],
): GroupDocuments {
  const documents = new Map<string, Json>();
  for (const [name, parts] of members) {
    for (const [part, json] of Object.entries(parts)) if (json) documents.set(`${name}/${part}`, json);
  }
  return { format, attributes, arrays: members.map(([name]) => name).sort(), documents };
}

/** Names directly below the group. */
async function folders(store: ObjectStore, signal: AbortSignal | undefined): Promise<string[]> {
  if (!store.list) {
    throw new FormatError("the Zarr store has no consolidated metadata, and a web server does not list its arrays", {
      where: store.description,
      hint: "consolidate it (zarr.consolidate_metadata), or name its arrays in a source file: `arrays: [t2m, time, lat, lon]`",
    });
  }
  const names: string[] = [];
  for await (const { path } of store.list("", { shallow: true, signal })) {
    if (path.endsWith("/")) names.push(path.slice(0, -1));
  }
  return names;
}

/** A document; undefined when it is not there. @throws FormatError when it is not JSON */
async function document(store: ObjectStore, key: string, signal: AbortSignal | undefined): Promise<Json | undefined> {
  throwIfInterrupted(signal, "opening the Zarr store");
  let bytes: Uint8Array;
  try {
    bytes = await store.read(key, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  try {
    return object(parse(text));
  } catch (error) {
    throw new FormatError(`the Zarr store cannot be read: ${key} is not JSON: ${(error as Error).message}`, {
      where: store.description,
      cause: error,
    });
  }
}

/** Python writes NaN and Infinity as they are, which JSON does not have. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const repaired = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (part) =>
      part.startsWith('"') ? part : `"${part}"`,
    );
    if (repaired === text) throw error;
    return JSON.parse(repaired) as unknown;
  }
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function isArray3(json: unknown): boolean {
  return object(json).node_type === "array";
}

function notAGroup(store: ObjectStore): FormatError {
  return new FormatError("this is a single Zarr array, not a group of arrays", {
    where: store.description,
    hint: "name the folder above it",
  });
}

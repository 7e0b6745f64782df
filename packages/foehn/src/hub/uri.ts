// What the user may write to name a package, and what it means: a path, file:///path, a bare name under MODEL_REGISTRY (a folder, or an
// https:// or s3:// address), https://host/path, s3://bucket/path, gs://bucket/path, hf://org/repo[@revision][/path],
// ngc://models/org[/team]/model@version[/path], builtin://name. `e2mip://name` of earth2mip is another spelling of the last.
// Only local folders are looked at here; nothing is asked over the network. Not here: stores (stores/), files (package.ts).

import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { localPath } from "../io/remote/file-store.js";
import { isInside } from "../io/remote/object-path.js";
import { publicUrl } from "../io/remote/public-url.js";
import { isArchiveName } from "./archive-path.js";
import { publishedModel } from "./catalogue.js";

/** Where bare names and relative paths are looked up. */
export interface ResolveOptions {
  /** Default: the working directory. */
  readonly cwd?: string;
  /** Folder or address of packages by name. Default: the environment variable MODEL_REGISTRY; none when that is empty. */
  readonly registry?: string | undefined;
}

/** A package's place. `path` is a folder (or archive) inside of what the rest names; "" is its root. */
export type PackageAddress =
  | { readonly kind: "folder"; readonly folder: string; readonly path: string }
  | { readonly kind: "plain"; readonly base: string; readonly path: string }
  | { readonly kind: "hf"; readonly repo: string; readonly revision: string | undefined; readonly path: string }
  | {
      readonly kind: "ngc";
      readonly org: string;
      readonly team: string | undefined;
      readonly model: string;
      readonly version: string;
      readonly path: string;
    }
  | { readonly kind: "builtin"; readonly name: string; readonly path: "" };

const schemes = ["file", "https", "http", "s3", "gs", "hf", "ngc", "builtin", "e2mip"];

const supported =
  "a folder (./my-model), a name in MODEL_REGISTRY, or an address: https://…, s3://bucket/…, hf://org/repo[@revision], ngc://models/org/team/model@version";

/**
 * The place that a text names.
 * @throws UsageError for what is no address, or a folder that is not there; with the nearest names
 */
export function parsePackageUri(text: string, options: ResolveOptions = {}): PackageAddress {
  if (/\p{Cc}/u.test(text)) {
    throw new UsageError(`${JSON.stringify(text)} is no name of a package`, { hint: `give ${supported}` });
  }
  const scheme = schemeOf(text);
  if (scheme === undefined) return local(text, options);
  if (scheme === "file") return folderAt(localPath(text), text);
  refuseDetours(text);
  switch (scheme) {
    case "http":
    case "https":
    case "s3":
    case "gs":
      return plain(text);
    case "hf":
      return hub(text);
    case "ngc":
      return registry(text);
    case "builtin":
    case "e2mip":
      return builtin(text);
    default:
      throw new UsageError(`there are no "${scheme}:" addresses of packages: ${publicUrl(text)}`, {
        hint: didYouMean(scheme, schemes) || `give ${supported}`,
      });
  }
}

/** The scheme of an address, in small letters; undefined for a path. A single letter is a drive of Windows. */
export function schemeOf(text: string): string | undefined {
  return /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
}

// Servers and the URL parser resolve ".." by themselves, so what the user sees would not be what is asked for.
function refuseDetours(text: string): void {
  const afterScheme = text.slice(text.indexOf(":") + 1).replace(/[?#].*$/, "");
  const parts = afterScheme.replace(/%2e/gi, ".").split(/\/|%2f/i);
  if (parts.some((part) => part === ".." || part === ".") || /\\|%(00|5c)/i.test(afterScheme)) {
    const shown = text.replace(/[?#].*$/, "").replace(/\/\/[^/@]*@/, "//"); // a URL parser would take the detour
    throw new UsageError(`the address ${JSON.stringify(shown)} has "." or ".." or other detours in its path`, {
      hint: "write the path as it is",
    });
  }
}

function local(text: string, options: ResolveOptions): PackageAddress {
  const path = resolve(options.cwd ?? process.cwd(), text);
  const here = text === "" ? undefined : folderOrArchive(path);
  if (here) return here;
  const place = options.registry ?? process.env.MODEL_REGISTRY;
  const isName = !/[\\/]/.test(text) && text !== "" && !text.startsWith(".");
  if (!place || !isName) return folderAt(path, text);
  const scheme = schemeOf(place);
  if (scheme !== undefined && scheme !== "file") return parsePackageUri(`${place.replace(/\/+$/, "")}/${text}`);
  const named = folderOrArchive(join(localPath(place), text));
  if (named) return named;
  throw new UsageError(`there is no package "${text}", neither here nor in the registry ${place}`, {
    hint: `${didYouMean(text, namesIn(localPath(place)))} Give ${supported}.`.trim(),
  });
}

function folderAt(path: string, text: string): PackageAddress {
  const found = folderOrArchive(path);
  if (found) return found;
  const kind = statSync(path, { throwIfNoEntry: false });
  if (kind) {
    throw new UsageError(`${path} is not a package: it is a file`, { hint: "give the folder, not a file in it" });
  }
  const near = didYouMean(basename(path), namesIn(dirname(path)));
  throw new UsageError(`there is no package at ${path}`, {
    hint: `${near} Give ${supported}.`.trim(),
    where: text === path ? undefined : text,
  });
}

function folderOrArchive(path: string): PackageAddress | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return { kind: "folder", folder: path, path: "" };
  if (found?.isFile() && isArchiveName(basename(path))) {
    return { kind: "folder", folder: dirname(path), path: basename(path) };
  }
  return undefined;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The last name of an http or s3 address may be an archive; then the folder around it is the store. A query (a signature) stays. */
function plain(text: string): PackageAddress {
  const [, base = "", last = "", query = ""] = /^([a-z0-9]+:\/\/[^?#]*?)\/([^/?#]*)\/*(\?[^#]*)?$/i.exec(text) ?? [];
  if (isArchiveName(last) && (query === "" || /^https?:/i.test(base)) && /^[a-z0-9]+:\/\/[^/]+/i.test(base)) {
    return { kind: "plain", base: base + query, path: decoded(last, text) };
  }
  if (!/^[a-z0-9]+:\/\/[^/?#]/i.test(text)) {
    throw new UsageError(`"${text}" names no host or bucket`, { hint: `give ${supported}` });
  }
  return { kind: "plain", base: text, path: "" };
}

function hub(text: string): PackageAddress {
  const match = /^hf:\/\/((?:datasets\/|spaces\/)?[\w.-]+\/[\w.-]+)(?:@([^/]+))?(?:\/(.*))?$/i.exec(text);
  if (!match?.[1]) {
    throw new UsageError(`"${text}" is not the address of a repository on the Hugging Face Hub`, {
      hint: /^hf:\/\/[^/@]+(@|$)/i.test(text)
        ? "the owner goes first: hf://owner/repository"
        : "write hf://owner/repository, hf://owner/repository@revision or hf://owner/repository@revision/folder",
    });
  }
  const revision = match[2] === undefined ? undefined : decodeURIComponentSafely(match[2]);
  if (revision !== undefined && !/^(?!.*\.\.)[\w][\w./+-]*$/.test(revision)) {
    throw new UsageError(`"${match[2]}" is not a revision`, {
      hint: "write a branch, a tag or a commit; a slash in it is %2F, as in @refs%2Fpr%2F1",
    });
  }
  return { kind: "hf", repo: match[1], revision, path: decoded(match[3] ?? "", text) };
}

function registry(text: string): PackageAddress {
  const match = /^ngc:\/\/models\/([^@]+)@(\w[\w.+-]*)(?:\/(.*))?$/i.exec(text);
  const names = match?.[1]?.split("/") ?? [];
  const [org, second, third] = names;
  if (!match || !org || !second || names.length > 3 || !names.every((name) => /^[\w.-]+$/.test(name))) {
    throw new UsageError(`"${text}" is not the address of a model in NGC`, {
      hint: /@/.test(text)
        ? "write ngc://models/org/team/model@version, or without the team"
        : "the version is a part of the address: ngc://models/org/team/model@version",
    });
  }
  const team = third === undefined || second === "no-team" ? undefined : second;
  const path = decoded(match[3] ?? "", text);
  return { kind: "ngc", org, team, model: third ?? second, version: match[2] ?? "", path };
}

function builtin(text: string): PackageAddress {
  const name = decoded(text.replace(/^[a-z0-9]+:\/*/i, "").replace(/\/+$/, ""), text);
  const { uri, name: canonical } = publishedModel(name);
  return schemeOf(uri) === "builtin" ? { kind: "builtin", name: canonical, path: "" } : parsePackageUri(uri);
}

/** The path behind the rest of an address, with its escapes resolved; it cannot lead out. */
function decoded(path: string, text: string): string {
  const plainPath = decodeURIComponentSafely(path.replace(/\/+$/, ""));
  if (
    plainPath === "" ||
    (isInside(plainPath) && plainPath.split("/").length === path.replace(/\/+$/, "").split("/").length)
  ) {
    return plainPath;
  }
  throw new UsageError(`${JSON.stringify(path)} in ${JSON.stringify(text)} is not a path inside a package`, {
    hint: 'give a relative path with "/" between names and without ".."',
  });
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError(`"${text}" has a "%" that begins no escape`, { hint: "write a percent sign as %25" });
  }
}

// A repository of the Hugging Face Hub at one commit. Interface: https://huggingface.co/docs/hub/api (revision, tree, refs) and the
// `resolve` addresses of files. Large files have their SHA-256 in the tree (Git LFS), small ones their git object id.
// Environment: HF_ENDPOINT; HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the file that `hf auth login` writes.

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { NetworkError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { fetchJson, type HttpOptions, isNotFound } from "../../io/remote/http.js";
import { storeOver } from "../../io/remote/http-store.js";
import { encodePath } from "../../io/remote/object-path.js";
import { credentialFetch } from "./credential-fetch.js";
import type { PackageFile, PackageStore } from "./package-store.js";

/** Repository and revision. */
export interface HfAddress {
  /** `org/name`, or `datasets/org/name`. */
  readonly repo: string;
  /** Branch, tag, commit, or pull request (`refs/pr/1`). Default `main`. */
  readonly revision?: string | undefined;
}

/** Options of the Hub's functions. */
export interface HfOptions extends Pick<HttpOptions, "fetch" | "retries" | "retryDelayMs" | "timeoutMs" | "signal"> {
  readonly token?: string | undefined;
  /** Default HF_ENDPOINT, or https://huggingface.co. */
  readonly endpoint?: string | undefined;
}

/** True for a commit, which always means the same. */
export const isCommit = (revision: string | undefined): revision is string => /^[0-9a-f]{40}$/.test(revision ?? "");

/**
 * The commit that a revision means now.
 * @throws NetworkError with the nearest branch or tag
 */
export async function resolveHfRevision(address: HfAddress, options: HfOptions = {}): Promise<string> {
  const { api, http } = connect(address, options);
  const { repo, revision = "main" } = address;
  try {
    const { json } = await fetchJson(`${api}/revision/${encodeURIComponent(revision)}`, http);
    const sha = (json as { sha?: unknown } | null)?.sha;
    if (typeof sha === "string" && isCommit(sha)) return sha;
    throw new NetworkError("the server does not say which commit the revision is", { where: `${api}/revision` });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const names = await revisionNames(api, http);
    if (names === undefined) throw error; // the repository itself is not there
    throw new NetworkError(`hf://${repo} has no revision "${revision}"`, {
      status: 404,
      hint: didYouMean(revision, names) || `it has ${names.slice(0, 10).join(", ")}`,
      cause: error,
    });
  }
}

/** The files of a repository at a commit. */
export function openHfStore(address: HfAddress, commit: string, options: HfOptions = {}): PackageStore {
  const { api, http, files } = connect(address, options);
  const id = `hf://${address.repo}@${commit}`;
  let listing: Promise<PackageFile[]> | undefined;
  const list = (signal?: AbortSignal): Promise<PackageFile[]> => {
    listing ??= readTree(`${api}/tree/${commit}?recursive=1`, { ...http, signal }).catch((error: unknown) => {
      listing = undefined;
      throw error;
    });
    return listing;
  };
  return {
    id,
    revision: commit,
    immutable: true,
    objects: storeOver(id, (path) => `${files}/resolve/${commit}/${encodePath(path)}`, http),
    list,
    async expected(path, signal) {
      const all = await list(signal);
      const found = all.find((file) => file.path === path);
      if (found) return found;
      throw new NetworkError(`${id} has no file "${path}"`, {
        status: 404,
        hint: didYouMean(
          path,
          all.map((file) => file.path),
        ),
      });
    },
  };
}

function connect(address: HfAddress, options: HfOptions): { api: string; files: string; http: HttpOptions } {
  const endpoint = (options.endpoint || process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");
  const { token: own, endpoint: _, ...network } = options;
  const { repo } = address;
  const isModel = !/^(datasets|spaces)\//.test(repo);
  const fetch = credentialFetch({
    fetch: options.fetch,
    origin: new URL(endpoint).origin,
    async authorization() {
      const token = own ?? (await ambientToken());
      return token === undefined ? undefined : `Bearer ${token}`;
    },
  });
  const page = `${endpoint}/${repo}`;
  return {
    api: `${endpoint}/api/${isModel ? "models/" : ""}${repo}`,
    files: page,
    http: {
      ...network,
      fetch,
      credentialHint: `check the name of the repository; if it is private or has conditions, accept them at ${page} and set HF_TOKEN`,
      notFoundHint: `look at ${page}`,
    },
  };
}

async function ambientToken(): Promise<string | undefined> {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HOME } = process.env;
  const set = HF_TOKEN || HUGGING_FACE_HUB_TOKEN;
  if (set) return set.trim();
  const file = HF_TOKEN_PATH || join(HF_HOME || join(homedir(), ".cache", "huggingface"), "token");
  const text = (await readFile(file, "utf8").catch(() => "")).trim();
  return text === "" ? undefined : text;
}

async function revisionNames(api: string, http: HttpOptions): Promise<string[] | undefined> {
  try {
    const { json } = await fetchJson(`${api}/refs`, http);
    const { branches = [], tags = [] } = json as { branches?: { name: unknown }[]; tags?: { name: unknown }[] };
    return [...branches, ...tags].map(({ name }) => String(name));
  } catch {
    return undefined;
  }
}

/** All pages of a tree. */
async function readTree(first: string, http: HttpOptions): Promise<PackageFile[]> {
  const files: PackageFile[] = [];
  const { origin } = new URL(first);
  for (let next: string | undefined = first, pages = 0; next !== undefined; pages++) {
    const { json, response } = await fetchJson(next, http);
    if (!Array.isArray(json) || pages > 1000) {
      throw new NetworkError("the list of files has another form than the Hub's", { where: first });
    }
    for (const item of json as (Partial<Record<string, unknown>> | null)[]) {
      if (item?.type !== "file" || typeof item.path !== "string") continue;
      const lfs = (item.lfs ?? undefined) as { oid?: unknown; size?: unknown } | undefined;
      const size = lfs?.size ?? item.size;
      files.push({
        path: item.path,
        ...(typeof size === "number" ? { size } : {}),
        ...(typeof lfs?.oid === "string" && /^[0-9a-f]{64}$/.test(lfs.oid) ? { sha256: lfs.oid } : {}),
        ...(lfs === undefined && /^[0-9a-f]{40}$/.test(String(item.oid)) ? { gitOid: String(item.oid) } : {}),
      });
    }
    const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get("link") ?? "")?.[1];
    next = link === undefined ? undefined : new URL(link, next).href;
    // Pages of another host would be asked without our token, and could say anything.
    if (next !== undefined && new URL(next).origin !== origin) next = undefined;
  }
  return files;
}

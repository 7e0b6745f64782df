// For tests only: the interfaces of the Hugging Face Hub and of NGC as far as packages need them, answering in the recorded shapes
// (https://huggingface.co/docs/hub/api; NGC's /v2/models and /v2/org addresses).

import { createHash } from "node:crypto";
import type { Handler } from "../../io/remote/server.test-support.js";

/** A repository. */
export interface FakeRepository {
  readonly repo: string;
  /** Commit by branch, tag or pull request. */
  readonly refs: Readonly<Record<string, string>>;
  /** Files by commit. */
  readonly commits: Readonly<Record<string, Readonly<Record<string, Buffer>>>>;
  /** Only with this token. */
  readonly token?: string | undefined;
  /** Files from this size on are in LFS. */
  readonly lfsFrom: number;
  /** Files of large objects redirect there, with `/<sha256>` behind. */
  readonly cdn?: string | undefined;
}

const digest = (algorithm: string, ...parts: (Buffer | string)[]): string => {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/** Answers as huggingface.co does; `url` is where the server is, for the next page of a list. */
export function hubHandler(repository: FakeRepository, url: () => string): Handler {
  return (request, response) => {
    const { repo, refs, commits, token, lfsFrom, cdn } = repository;
    const path = new URL(request.url ?? "/", "http://localhost");
    const json = (status: number, value: unknown, headers: Record<string, string> = {}): boolean => {
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
      return true;
    };
    const { authorization } = request.headers;
    // The Hub refuses a token that it does not know even for public repositories.
    if (authorization !== undefined && authorization !== `Bearer ${token}`) {
      return json(401, { error: "Invalid credentials in Authorization header" });
    }
    if (token !== undefined && authorization === undefined) {
      return json(401, { error: "Invalid username or password." }, { "x-error-code": "RepoNotFound" });
    }
    const commitOf = (revision: string): string | undefined =>
      refs[revision] ?? (commits[revision] ? revision : undefined);
    const api = new RegExp(`^/api/models/${repo}/(revision|tree|refs)(?:/([^/?]+))?$`).exec(path.pathname);
    if (api) {
      if (api[1] === "refs") {
        return json(200, {
          branches: Object.keys(refs).map((name) => ({ name, ref: `refs/heads/${name}` })),
          tags: [],
        });
      }
      const commit = commitOf(decodeURIComponent(api[2] ?? ""));
      if (!commit) return json(404, { error: `Invalid rev id: ${api[2]}` });
      if (api[1] === "revision") return json(200, { id: repo, sha: commit, private: false });
      const all = Object.entries(commits[commit] ?? {}).map(([name, data]) => ({
        type: "file",
        path: name,
        size: data.length,
        oid: digest("sha1", `blob ${data.length}\0`, data),
        ...(data.length >= lfsFrom
          ? { lfs: { oid: digest("sha256", data), size: data.length, pointerSize: 130 } }
          : {}),
      }));
      const from = Number(path.searchParams.get("cursor") ?? 0);
      const more = from + 2 < all.length;
      const next = `<${url()}${path.pathname}?recursive=1&cursor=${from + 2}>; rel="next"`;
      return json(200, all.slice(from, from + 2), more ? { link: next } : {});
    }
    const file = new RegExp(`^/${repo}/resolve/([^/]+)/(.+)$`).exec(decodeURIComponent(path.pathname));
    const data = file && commits[commitOf(file[1] ?? "") ?? ""]?.[file[2] ?? ""];
    if (!file || !data) return json(404, { error: "Entry not found" }, { "x-error-code": "EntryNotFound" });
    if (cdn !== undefined && data.length >= lfsFrom) {
      response.writeHead(302, { location: `${cdn}/${digest("sha256", data)}?X-Amz-Signature=abc` }).end();
      return true;
    }
    response.writeHead(200, { "content-length": data.length, etag: `"${digest("sha1", data)}"` });
    response.end(request.method === "HEAD" ? undefined : data);
    return true;
  };
}

/** Answers as api.ngc.nvidia.com does for one version of a model; `files` are served by the server itself under `/signed/`. */
export function ngcHandler(options: {
  readonly place: string;
  readonly model: string;
  readonly version: string;
  readonly files: readonly string[];
  readonly signed: () => string;
  /** Only with this API key, by way of a token. */
  readonly key?: string | undefined;
}): Handler {
  const { place, model, version, files, signed, key } = options;
  return (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const json = (status: number, value: unknown): boolean => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
      return true;
    };
    const refuse = (status: number, text: string): boolean =>
      json(status, { requestStatus: { statusCode: "UNAUTHORIZED", statusDescription: text } });
    if (url.pathname.startsWith("/signed/")) return false;
    if (url.pathname === "/token") {
      const basic = `Basic ${Buffer.from(`$oauthtoken:${key}`).toString("base64")}`;
      if (key === undefined || request.headers.authorization !== basic) return refuse(401, "Invalid key");
      return json(200, { token: `token-for-${url.searchParams.getAll("scope").join("+")}` });
    }
    const open = `/v2/models/${place}/${model}/${version}/files`;
    const closed = `/v2/${place}/models/${model}/versions/${version}/files`;
    if (key === undefined && url.pathname === open) {
      // A key that is not wanted is refused, also for public models.
      if (request.headers.authorization !== undefined) return refuse(401, "Invalid token");
      const path = url.searchParams.get("path");
      if (path === null) return json(200, { modelFiles: files.map((name) => ({ path: name, sizeInBytes: 1 })) });
      if (!files.includes(path)) return refuse(404, `Could not find file ${path}`);
      return json(200, { urls: [`${signed()}/signed/${path}?Signature=s`] });
    }
    if (key !== undefined && url.pathname.startsWith(closed)) {
      if (!request.headers.authorization?.startsWith("Bearer token-for-group/ngc:")) return refuse(401, "Unauthorized");
      const path = url.pathname.slice(closed.length + 1);
      if (path === "") return json(200, { modelFiles: files.map((name) => ({ path: name })) });
      response.writeHead(302, { location: `${signed()}/signed/${path}?Signature=s` }).end();
      return true;
    }
    return refuse(key === undefined ? 404 : 401, "Not found or not allowed");
  };
}

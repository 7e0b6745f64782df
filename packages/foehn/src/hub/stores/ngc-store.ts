// A version of a model in NVIDIA's NGC registry. Public models: `/v2/models/org/<org>[/team/<team>]/<model>/<version>/files?path=…` gives a
// signed address of the file. Private ones: `/v2/org/…/models/…/versions/…/files/…` with a token that is bought with the API key. As the
// NGC command line and Earth2Studio's `NGCModelFileSystem` do it. Environment: NGC_CLI_API_KEY; NGC_CLI_SEARCH_SERVICE_URL (another host);
// NGC_CLI_AUTH_URL (another host for tokens).

import { NetworkError } from "../../core/errors.js";
import { fetchJson, fetchWithRetry, type HttpOptions, isNotFound } from "../../io/remote/http.js";
import { storeOver } from "../../io/remote/http-store.js";
import { encodePath } from "../../io/remote/object-path.js";
import { publicUrl } from "../../io/remote/public-url.js";
import type { PackageFile, PackageStore } from "./package-store.js";

/** A version of a model. */
export interface NgcAddress {
  readonly org: string;
  readonly team?: string | undefined;
  readonly model: string;
  /** As written, with or without "v". */
  readonly version: string;
}

/** Options of `openNgcStore`. */
export interface NgcOptions extends Pick<HttpOptions, "fetch" | "retries" | "retryDelayMs" | "timeoutMs"> {
  /** API key. Default NGC_CLI_API_KEY. */
  readonly token?: string | undefined;
  /** Default NGC_CLI_SEARCH_SERVICE_URL, or https://api.ngc.nvidia.com. */
  readonly endpoint?: string | undefined;
}

/** A signed address is used for this long; they live longer. */
const signedForMs = 5 * 60_000;

/** The files of a version. */
export function openNgcStore(address: NgcAddress, options: NgcOptions = {}): PackageStore {
  const { org, team, model, version } = address;
  const endpoint = withScheme(
    options.endpoint || process.env.NGC_CLI_SEARCH_SERVICE_URL || "https://api.ngc.nvidia.com",
  );
  const id = `ngc://models/${[org, team, model].filter((part) => part !== undefined).join("/")}@${version}`;
  const { token: _, endpoint: __, ...network } = options;
  const key = options.token || process.env.NGC_CLI_API_KEY || undefined;
  const http: HttpOptions = {
    ...network,
    credentialHint: key
      ? "the key in NGC_CLI_API_KEY is not accepted for this model: check its organisation and team"
      : "check the name; if the model is private, set NGC_CLI_API_KEY",
    notFoundHint: "check organisation, team, model and version; if the model is private, set NGC_CLI_API_KEY",
  };
  const place = team === undefined ? `org/${org}` : `org/${org}/team/${team}`;
  // The registry lists "0.2" and "v0.2" as different versions, and people write either.
  const versions = [version, version.startsWith("v") ? version.slice(1) : `v${version}`];
  const signed = new Map<string, { readonly url: string; readonly until: number }>();
  let bearer: Promise<string> | undefined;

  const privateHeaders = async (): Promise<Record<string, string>> => {
    if (key === undefined) return {};
    bearer ??= (key.startsWith("nvapi-") ? Promise.resolve(key) : buyToken(key, org, team, http)).catch((error) => {
      bearer = undefined;
      throw error;
    });
    return { authorization: `Bearer ${await bearer}` };
  };

  /** The public way for each spelling of the version, then the private way when there is a key. */
  async function ask<T>(work: (base: string, headers: Record<string, string>) => Promise<T>): Promise<T> {
    let first: unknown;
    const ways = [
      ...versions.map((v) => [`${endpoint}/v2/models/${place}/${model}/${v}/files`, false] as const),
      ...versions.map((v) => [`${endpoint}/v2/${place}/models/${model}/versions/${v}/files`, true] as const),
    ];
    for (const [base, isPrivate] of ways) {
      if (isPrivate && (key === undefined || (await isPublic()))) continue;
      try {
        return await work(base, isPrivate ? await privateHeaders() : {});
      } catch (error) {
        const refused = error instanceof NetworkError && [400, 401, 403, 404].includes(error.status ?? 0);
        if (!refused) throw error;
        // What the public way says is about the model; a refused key says so only where the model is not public.
        if (first === undefined || (isPrivate && !isNotFound(error))) first = error;
      }
    }
    throw first;
  }

  /** A file that a public model lacks is simply not there; the key need not be shown to anybody. */
  let open: Promise<boolean> | undefined;
  function isPublic(): Promise<boolean> {
    open ??= (async () => {
      for (const v of versions) {
        const url = `${endpoint}/v2/models/${place}/${model}/${v}/files`;
        const response = await fetchWithRetry(url, { ...http, allow: [400, 401, 403, 404] });
        await response.body?.cancel();
        if (response.ok) return true;
      }
      return false;
    })().catch((error) => {
      open = undefined;
      throw error;
    });
    return open;
  }

  async function urlOf(path: string): Promise<string> {
    const known = signed.get(path);
    if (known && known.until > Date.now()) return known.url;
    const url = await ask(async (base, headers) => {
      if (Object.keys(headers).length === 0) {
        const { json } = await fetchJson(`${base}?path=${encodeURIComponent(path)}`, http);
        const found = (json as { urls?: unknown } | null)?.urls;
        if (Array.isArray(found) && typeof found[0] === "string") return found[0];
        throw new NetworkError(`${id} has no file "${path}"`, { status: 404, hint: http.notFoundHint });
      }
      // The private way answers with a redirect to a signed address, which works without the token.
      const response = await fetchWithRetry(`${base}/${encodePath(path)}`, {
        ...http,
        headers,
        allow: [301, 302, 303, 307],
      });
      await response.body?.cancel();
      const location = response.headers.get("location");
      if (location !== null) return new URL(location, base).href;
      throw new NetworkError(`the registry gives no address for "${path}"`, { where: base });
    });
    // NGC publishes no hashes: what comes in the clear could be anything.
    const isDowngrade = /^http:/.test(url) && /^https:/.test(endpoint);
    if (isDowngrade) throw new NetworkError("the registry gives an unencrypted address", { where: publicUrl(url) });
    if (!/^https?:/.test(url) || !URL.canParse(url))
      throw new NetworkError("the registry gives an address that is not http", { where: id });
    signed.set(path, { url, until: Date.now() + signedForMs });
    return url;
  }

  let listing: Promise<PackageFile[] | undefined> | undefined;
  const list = (signal?: AbortSignal): Promise<PackageFile[] | undefined> => {
    listing ??= ask(async (base, headers) => filesIn((await fetchJson(base, { ...http, headers, signal })).json)).catch(
      (error: unknown) => {
        listing = undefined;
        throw error;
      },
    );
    return listing;
  };
  return {
    id,
    revision: version,
    immutable: true,
    objects: storeOver(id, urlOf, http),
    list,
    async expected() {
      return undefined; // NGC publishes no hashes
    },
  };
}

/** `modelFiles: [{ path, sizeInBytes }]`, or `filepath: […]`. */
function filesIn(json: unknown): PackageFile[] | undefined {
  const { modelFiles, filepath } = (json ?? {}) as { modelFiles?: unknown; filepath?: unknown };
  if (Array.isArray(modelFiles)) {
    return modelFiles.flatMap((item: { path?: unknown; sizeInBytes?: unknown } | null) =>
      typeof item?.path === "string"
        ? [{ path: item.path, ...(typeof item.sizeInBytes === "number" ? { size: item.sizeInBytes } : {}) }]
        : [],
    );
  }
  if (Array.isArray(filepath)) return filepath.filter((path) => typeof path === "string").map((path) => ({ path }));
  return undefined;
}

/** An API key buys a token for an organisation and team. */
async function buyToken(key: string, org: string, team: string | undefined, http: HttpOptions): Promise<string> {
  const scopes = [`group/ngc:${org}`, ...(team === undefined ? [] : [`group/ngc:${org}/${team}`])];
  const query = new URLSearchParams([["service", "ngc"], ...scopes.map((scope): [string, string] => ["scope", scope])]);
  const host = withScheme(process.env.NGC_CLI_AUTH_URL || "https://authn.nvidia.com");
  const authorization = `Basic ${Buffer.from(`$oauthtoken:${key}`).toString("base64")}`;
  const { json } = await fetchJson(`${host}/token?${query}`, { ...http, headers: { authorization } });
  const { token } = (json ?? {}) as { token?: unknown };
  if (typeof token !== "string")
    throw new NetworkError("the key was not exchanged for a token", { where: `${host}/token` });
  return token;
}

const withScheme = (host: string): string => `${/^https?:/.test(host) ? host : `https://${host}`}`.replace(/\/+$/, "");

// The Climate Data Store's interface for retrievals (OGC API Processes, as of 2024): a request becomes a job, the job is asked after until
// it is done, its result is a file at an address. Not here: which requests ERA5 takes (cds.ts).
// Described in https://cds.climate.copernicus.eu/how-to-api and https://ecmwf.github.io/ecmwf-datastores-client.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isOffline } from "../core/environment.js";
import { ConfigError, DataError, NetworkError } from "../core/errors.js";
import { throwIfInterrupted } from "../core/interrupt.js";
import { createLogger, type Logger } from "../core/log.js";
import { formatDuration } from "../core/time.js";
import { download } from "../io/remote/download.js";
import { fetchWithRetry, type HttpOptions, isNotFound } from "../io/remote/http.js";
import { openObjectStore } from "../io/remote/object-store.js";
import type { DataCache } from "./data-cache.js";

/** Where the store is, and who asks. */
export interface CdsAccount {
  /** `https://cds.climate.copernicus.eu/api` */
  readonly url: string;
  /** Personal access token. */
  readonly key: string;
}

/** A request: the keys of the data set's download form. */
export type CdsRequest = Readonly<Record<string, string | readonly string[] | readonly number[]>>;

/** Options of `CdsClient`. */
export interface CdsClientOptions extends Pick<HttpOptions, "fetch" | "retries" | "retryDelayMs" | "timeoutMs"> {
  readonly account?: CdsAccount | undefined;
  /** Hears of states of jobs; stderr by default, since jobs wait for minutes to hours. */
  readonly logger?: Logger | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Nothing is asked for; default `FOEHN_OFFLINE`. */
  readonly offline?: boolean | undefined;
  /** First and longest waiting time between two questions, milliseconds; default 1 s and 2 min, growing by half. */
  readonly pollMs?: readonly [first: number, longest: number] | undefined;
}

const defaultUrl = "https://cds.climate.copernicus.eu/api";

/**
 * The account: `CDSAPI_URL` and `CDSAPI_KEY`, else the file of `CDSAPI_RC` or `~/.cdsapirc` (lines `url: …` and `key: …`).
 * A line `verify: 0` of that file has no effect: certificates are always checked.
 * @throws ConfigError when there is no key, or one of the store that was closed in 2024
 */
export async function cdsAccount(env: Readonly<Record<string, string | undefined>> = process.env): Promise<CdsAccount> {
  const file = env.CDSAPI_RC || join(env.HOME || homedir(), ".cdsapirc");
  const lines = (await readFile(file, "utf8").catch(() => "")).split(/\r?\n/);
  const fromFile = (name: string) =>
    lines.map((line) => new RegExp(`^${name}\\s*:\\s*(\\S+)`).exec(line)?.[1]).find(Boolean);
  const key = env.CDSAPI_KEY || fromFile("key");
  const url = (env.CDSAPI_URL || fromFile("url") || defaultUrl).replace(/\/+$/, "");
  const hint =
    "register at https://cds.climate.copernicus.eu, copy the token from your profile page, and put it into CDSAPI_KEY " +
    'or into ~/.cdsapirc as "url: https://cds.climate.copernicus.eu/api" and "key: TOKEN"';
  if (!key) throw new ConfigError("there is no key for the Climate Data Store", { where: file, hint });
  if (/\/v2$/.test(url) || /^\d+:/.test(key)) {
    throw new ConfigError("the account is one of the Climate Data Store that was closed in 2024", {
      where: file,
      hint,
    });
  }
  return { url, key };
}

/** The same text for requests that mean the same: keys and lists sorted. */
export function canonicalRequest(dataset: string, request: CdsRequest): string {
  const sorted = Object.keys(request)
    .sort()
    .map((key) => {
      const value = request[key]!;
      // The order of an area means something; that of other lists does not.
      return [key, Array.isArray(value) && key !== "area" ? [...value].sort() : value];
    });
  return JSON.stringify([dataset, Object.fromEntries(sorted)]);
}

interface Job {
  readonly status?: string;
  readonly jobID?: string;
  readonly links?: readonly { readonly rel?: string; readonly href?: string }[];
}

interface Asset {
  readonly href?: string;
  readonly "file:size"?: number;
  readonly "file:checksum"?: string;
}

/** Sends requests and brings results. */
export class CdsClient {
  readonly #options: CdsClientOptions;
  readonly #logger: Logger;
  #account: Promise<CdsAccount> | undefined;

  constructor(options: CdsClientOptions = {}) {
    this.#options = options;
    this.#logger = options.logger ?? createLogger();
  }

  /**
   * The result of a request as a file of the cache. A job that is still waiting from an earlier process is taken up again.
   * @throws DataError when the job fails, with what the store says; NetworkError; ConfigError without an account
   */
  async retrieve(dataset: string, request: CdsRequest, cache: DataCache, name: string): Promise<string> {
    const canonical = canonicalRequest(dataset, request);
    const key = `cds ${canonical}`;
    return cache.file(key, name, async (target) => {
      if (this.#options.offline ?? isOffline()) {
        throw new DataError(
          `this request of ${dataset} is not in the data cache, and FOEHN_OFFLINE forbids to send it`,
          {
            where: canonical,
            hint: `run once with the network; the cache is ${cache.folder}`,
          },
        );
      }
      const job = `${key} job`;
      const asset = await this.#finished(dataset, request, cache, job);
      await this.#fetch(asset, target, dataset);
      await cache.remove(job);
    });
  }

  async #finished(dataset: string, request: CdsRequest, cache: DataCache, key: string): Promise<Asset> {
    const kept = await cache.get(key);
    if (kept) {
      try {
        return await this.#wait(Buffer.from(kept).toString("utf8"), dataset);
      } catch (error) {
        // The store forgets jobs after some days; then the request is sent again.
        if (!isNotFound(error) && !(error instanceof DataError)) throw error;
        await cache.remove(key);
      }
    }
    const { url } = await this.#who();
    const answer = await this.#json<Job>(`${url}/retrieve/v1/processes/${dataset}/execution`, dataset, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs: request }),
    });
    const address = answer.jobID ? `${url}/retrieve/v1/jobs/${answer.jobID}` : linkOf(answer, "monitor");
    if (!address) throw new DataError("the Climate Data Store answered without a job", { where: dataset });
    this.#logger.info(`Climate Data Store: ${dataset}, job ${answer.jobID ?? address}`);
    await cache.put(key, Buffer.from(address));
    return this.#wait(address, dataset);
  }

  /** Asks after a job until it is done. */
  async #wait(address: string, dataset: string): Promise<Asset> {
    const { signal } = this.#options;
    const [first, longest] = this.#options.pollMs ?? [1000, 120_000];
    const started = Date.now();
    let before = "";
    for (let pause = first; ; pause = Math.min(pause * 1.5, longest)) {
      throwIfInterrupted(signal, "the retrieval");
      const job = await this.#json<Job>(address, dataset);
      if (job.status !== before) {
        const after = formatDuration(Math.round((Date.now() - started) / 1000));
        this.#logger.info(`Climate Data Store: ${dataset} is ${job.status ?? "in no state"} after ${after}`);
      }
      before = job.status ?? "";
      if (job.status === "successful") {
        const results = linkOf(job, "results") ?? `${address}/results`;
        const { asset } = await this.#json<{ asset?: { value?: Asset } }>(results, dataset);
        if (asset?.value?.href) return asset.value;
        throw new DataError("the job is done, but the Climate Data Store names no file", { where: address });
      }
      if (job.status !== "accepted" && job.status !== "running") throw await this.#failed(job, address, dataset);
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  }

  async #failed(job: Job, address: string, dataset: string): Promise<DataError> {
    // The reason stands in the answer to the question for results, which is an error itself.
    let reason = "";
    if (job.status === "failed") {
      const results = linkOf(job, "results") ?? `${address}/results`;
      const said = await this.#json<Record<string, unknown>>(results, dataset, { allow: [400, 404, 422, 500] }).catch(
        () => ({}) as Record<string, unknown>,
      );
      const texts = [said.traceback, said.detail, said.title].filter(
        (text): text is string => typeof text === "string",
      );
      reason = texts.length === 0 ? "" : `: ${lastLine(texts[0]!)}`;
    }
    return new DataError(`the Climate Data Store's job is ${job.status ?? "in no known state"}${reason}`, {
      where: address,
      hint: `look at https://cds.climate.copernicus.eu/requests; the data set is ${dataset}`,
    });
  }

  async #fetch(asset: Asset, target: string, dataset: string): Promise<void> {
    const { url } = await this.#who();
    const { fetch, retries, retryDelayMs, timeoutMs, signal } = this.#options;
    // The file lies on another host, which gets no token.
    const { href, protocol } = new URL(asset.href!, `${url}/`);
    if (!/^https?:$/.test(protocol)) {
      throw new NetworkError("the Climate Data Store names a file at an address that is not http", { where: href });
    }
    const store = openObjectStore(href, { fetch, retries, retryDelayMs, timeoutMs });
    const size = asset["file:size"];
    await download(store, "", target, { notes: false, signal });
    const { md5, length } = await md5Of(target);
    const expected = asset["file:checksum"];
    const wrong =
      size !== undefined && length !== size
        ? `${length} bytes, not ${size}`
        : expected !== undefined && /^[0-9a-f]{32}$/i.test(expected) && md5 !== expected.toLowerCase()
          ? `the checksum ${md5}, not ${expected}`
          : undefined;
    if (wrong) {
      throw new NetworkError(`the file of the Climate Data Store has ${wrong}`, {
        where: `${store.description} (${dataset})`,
        hint: "try again",
      });
    }
  }

  #who(): Promise<CdsAccount> {
    this.#account ??= this.#options.account ? Promise.resolve(this.#options.account) : cdsAccount();
    return this.#account;
  }

  async #json<T>(address: string, dataset: string, more: HttpOptions = {}): Promise<T> {
    const { url, key } = await this.#who();
    // The token goes to the store's own host only, and not in the clear, whatever a link says.
    if (new URL(address, `${url}/`).origin !== new URL(url).origin) {
      throw new NetworkError("the Climate Data Store names an address on another host", { where: address });
    }
    const { fetch, retries, retryDelayMs, timeoutMs, signal } = this.#options;
    const site = url.replace(/\/api$/, "");
    try {
      const response = await fetchWithRetry(address, {
        ...{ fetch, retries, retryDelayMs, timeoutMs, signal },
        credentialHint: "check the key: CDSAPI_KEY, or ~/.cdsapirc",
        ...more,
        headers: { "private-token": key, accept: "application/json", ...more.headers },
      });
      return (await response.json()) as T;
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new NetworkError("the answer is not JSON", { where: address, cause: error });
      if (!(error instanceof NetworkError) || error.status !== 403) throw error;
      throw new NetworkError(error.message, {
        status: 403,
        where: address,
        hint: `accept the data set's licence, once, while logged in: ${site}/datasets/${dataset}?tab=download#manage-licences`,
        cause: error,
      });
    }
  }
}

function linkOf(job: Job, rel: string): string | undefined {
  return job.links?.find((link) => link.rel === rel)?.href;
}

function lastLine(text: string): string {
  return (text.trim().split("\n").at(-1) ?? "").slice(0, 300);
}

async function md5Of(path: string): Promise<{ md5: string; length: number }> {
  const hash = createHash("md5");
  let length = 0;
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(part as Buffer);
    length += (part as Buffer).length;
  }
  return { md5: hash.digest("hex"), length };
}

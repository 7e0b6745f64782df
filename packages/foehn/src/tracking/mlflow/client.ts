// A small client of MLflow's REST API 2.0 (mlflow.org/docs/latest/rest-api.html): one method, `call`, for its JSON endpoints, and
// `upload` for artifacts through the server's proxy. It sends and reports; what is sent again, and when, is sender.ts's affair.

import { createReadStream } from "node:fs";
import { copyFile, mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../core/errors.js";

/** How to reach a server. */
export interface MlflowClientOptions {
  /** `http://host:5000`, with a path prefix or `user:password@` where the server has them. */
  readonly uri: string;
  /** Where MLFLOW_TRACKING_TOKEN, _USERNAME and _PASSWORD stand; default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** For one request. Default 30 000. */
  readonly timeoutMs?: number;
}

/** The server said no, or said nothing (`status` 0). */
export class MlflowError extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** MLflow's own code, such as `RESOURCE_DOES_NOT_EXIST`; empty when the answer had none. */
    readonly code: string = "",
    /** What a Retry-After header asks for. */
    readonly retryAfterSeconds?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "MlflowError";
  }

  /** True when the same request can never succeed: the server understood it and found it wrong. */
  get isFinal(): boolean {
    return this.status === 400 || this.status === 413 || this.status === 422;
  }
}

/** Talks to one server. */
export class MlflowClient {
  /** Without credentials and without a slash at the end. */
  readonly uri: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  /** @throws ConfigError for an address that is no http(s) server */
  constructor(options: MlflowClientOptions) {
    const url = parseTrackingUri(options.uri);
    const env = options.env ?? process.env;
    const user = decodeURIComponent(url.username) || env.MLFLOW_TRACKING_USERNAME;
    const password = decodeURIComponent(url.password) || env.MLFLOW_TRACKING_PASSWORD;
    const token = env.MLFLOW_TRACKING_TOKEN;
    const authorization = user
      ? `Basic ${Buffer.from(`${user}:${password ?? ""}`).toString("base64")}`
      : token && `Bearer ${token}`;
    this.#headers = authorization ? { authorization } : {};
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.uri = `${url.origin}${url.pathname}`.replace(/\/+$/, "");
  }

  /**
   * One request to `/api/2.0/mlflow/<endpoint>`.
   * @param body JSON of a POST, or the query of a GET
   * @throws MlflowError
   */
  async call<T>(
    method: "GET" | "POST",
    endpoint: string,
    body: Readonly<Record<string, unknown>> = {},
    signal?: AbortSignal,
  ): Promise<T> {
    const query = method === "GET" ? `?${new URLSearchParams(body as Record<string, string>)}` : "";
    const response = await this.#fetch(`/api/2.0/mlflow/${endpoint}${query}`, signal, {
      method,
      ...(method === "POST" && {
        body: JSON.stringify(body),
        headers: { ...this.#headers, "content-type": "application/json" },
      }),
    });
    const text = await response.text();
    try {
      return JSON.parse(text || "{}") as T;
    } catch (cause) {
      throw new MlflowError(`${this.uri} answers ${endpoint} with something that is not JSON`, 0, "", undefined, {
        cause,
      });
    }
  }

  /**
   * Stores a file or a text as an artifact of a run: through the server's proxy, or by a copy where the store is a folder of this machine.
   * @param artifactUri the run's `artifact_uri`
   * @param path below it, with `/`
   * @throws MlflowError; final for a store that only its own client can write (s3, gs …)
   */
  async upload(
    artifactUri: string,
    path: string,
    content: { readonly file: string } | { readonly text: string },
    signal?: AbortSignal,
  ): Promise<void> {
    const folder = localFolder(artifactUri);
    if (folder !== undefined) {
      const target = join(folder, path);
      await mkdir(dirname(target), { recursive: true });
      if ("file" in content) await copyFile(content.file, target);
      else await writeFile(target, content.text);
      return;
    }
    const proxied = /^mlflow-artifacts:(?:\/\/[^/]*)?\/?(.*)$/.exec(artifactUri);
    if (proxied === null) {
      throw new MlflowError(
        `artifacts of this run go to ${artifactUri}, which is not reached through the tracking server; start it with --serve-artifacts`,
        400,
      );
    }
    const url = [...proxied[1]!.split("/"), ...path.split("/")].map(encodeURIComponent).join("/");
    const size = "file" in content ? (await stat(content.file)).size : Buffer.byteLength(content.text);
    await this.#fetch(`/api/2.0/mlflow-artifacts/artifacts/${url}`, signal, {
      method: "PUT",
      headers: { ...this.#headers, "content-length": String(size), "content-type": "application/octet-stream" },
      ...("file" in content
        ? { body: Readable.toWeb(createReadStream(content.file)) as BodyInit, duplex: "half" }
        : { body: content.text }),
    } as RequestInit);
  }

  async #fetch(path: string, signal: AbortSignal | undefined, init: RequestInit): Promise<Response> {
    const limit = AbortSignal.timeout(this.#timeoutMs);
    let response: Response;
    try {
      response = await fetch(this.uri + path, {
        headers: this.#headers,
        ...init,
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
    } catch (cause) {
      const reason =
        cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : (cause as Error).message;
      throw new MlflowError(`${this.uri} does not answer: ${reason}`, 0, "", undefined, { cause });
    }
    if (response.ok) return response;
    const text = (await response.text().catch(() => "")).slice(0, 2000);
    const { error_code: code = "", message = "" } = jsonOrNothing(text);
    const said = message || text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
    const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
    throw new MlflowError(
      `${this.uri} answers ${response.status}${said ? `: ${said.trim().slice(0, 300)}` : ""}`,
      response.status,
      code,
      Number.isFinite(retryAfter) ? retryAfter : undefined,
    );
  }
}

function parseTrackingUri(text: string): URL {
  try {
    const url = new URL(text);
    if (url.protocol === "http:" || url.protocol === "https:") return url;
  } catch {
    // said below
  }
  throw new ConfigError(`"${text}" is no address of an MLflow server`, {
    hint: 'start one ("mlflow server --port 5000") and give its address: --mlflow-uri http://localhost:5000, or MLFLOW_TRACKING_URI',
  });
}

function localFolder(artifactUri: string): string | undefined {
  if (artifactUri.startsWith("file:")) return fileURLToPath(artifactUri);
  return artifactUri.startsWith("/") ? artifactUri : undefined;
}

function jsonOrNothing(text: string): { error_code?: string; message?: string } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

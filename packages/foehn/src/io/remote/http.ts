// One HTTP request, done properly: tried again when that can help, with time limits, redirects that never carry credentials to another
// host, and errors that say what to do. Semantics: RFC 9110 (HTTP), RFC 6585 (429). Not here: what paths and ranges mean (http-store.ts).

import { setTimeout as sleep } from "node:timers/promises";
import { InterruptedError, NetworkError } from "../../core/errors.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { ambientFetch } from "./ambient-fetch.js";
import { publicUrl } from "./public-url.js";

/** What `fetchWithRetry` takes besides the address. */
export interface HttpOptions {
  /** Default GET. */
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How often to try again; default 4. POST is tried again only when the server said that it did nothing (429, 503). */
  readonly retries?: number | undefined;
  /** First waiting time in milliseconds, doubled each time, at most 20 s; default 500. A server's Retry-After goes first. */
  readonly retryDelayMs?: number | undefined;
  /** Longest silence in milliseconds, before the answer and within its body; default `$FOEHN_HTTP_TIMEOUT` seconds, or 60 s. */
  readonly timeoutMs?: number | undefined;
  /** Statuses that are returned and not thrown, such as 404. Those below 300, and 304, always are. */
  readonly allow?: readonly number[] | undefined;
  /** What to do on 401 and 403: which variable holds the token. */
  readonly credentialHint?: string | undefined;
  /** What to do on 404. */
  readonly notFoundHint?: string | undefined;
  /** Instead of the global fetch; called for every attempt, so it may sign requests. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

const maxRedirects = 10;
const longestWaitMs = 120_000;
const retriable = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Sends a request and gives the answer once its head is there. Its body fails with NetworkError when it stalls or the connection breaks.
 * @throws NetworkError for a refusal (status ≥ 400, unless allowed), a connection that fails, or redirects that do not end;
 * InterruptedError when the signal was aborted
 */
export async function fetchWithRetry(url: string | URL, options: HttpOptions = {}): Promise<Response> {
  const retries = options.retries ?? 4;
  const method = options.method ?? "GET";
  for (let attempt = 0; ; attempt++) {
    throwIfInterrupted(options.signal, publicUrl(url));
    let wait = backOff(attempt, options.retryDelayMs ?? 500);
    let failure: NetworkError;
    try {
      const response = await followRedirects(new URL(url), method, options);
      const { status } = response;
      if (status < 300 || status === 304 || options.allow?.includes(status)) return response;
      const asked = retryAfter(response.headers.get("retry-after"));
      failure = await refusal(response, url, method, asked, options);
      const mayRepeat = method !== "POST" || status === 429 || status === 503;
      if (!retriable.has(status) || !mayRepeat) throw failure;
      if (asked !== undefined) wait = asked;
    } catch (error) {
      if (!(error instanceof NetworkError) || error.status !== undefined) throw error;
      failure = error;
      // Silence takes its time; who was silent twice is not asked five times.
      const isSilent = error.cause instanceof Error && error.cause.name === "AbortError";
      if (method === "POST" || isPermanent(error) || (isSilent && attempt >= 1)) throw failure;
    }
    if (attempt >= retries || wait > longestWaitMs) throw failure;
    await sleep(wait, undefined, { signal: options.signal }).catch(() => {});
  }
}

/**
 * The body of an answer, at most `limit` bytes of it.
 * @throws NetworkError when it is longer or breaks off
 */
export async function readBody(response: Response, limit: number, url: string | URL): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) throw new NetworkError(`the answer is longer than ${limit} bytes`, { where: publicUrl(url) });
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/**
 * GET of a JSON document (at most 64 MiB).
 * @throws NetworkError, also when the answer is not JSON
 */
export async function fetchJson(
  url: string | URL,
  options: HttpOptions = {},
): Promise<{ json: unknown; response: Response }> {
  const headers = { accept: "application/json", ...options.headers };
  const response = await fetchWithRetry(url, { ...options, headers });
  const text = Buffer.from(await readBody(response, 64 << 20, url)).toString("utf8");
  try {
    return { json: JSON.parse(text) as unknown, response };
  } catch (error) {
    throw new NetworkError(`the answer is not JSON but begins with ${JSON.stringify(text.slice(0, 40))}`, {
      where: publicUrl(url),
      hint: "a proxy or a login page may have answered instead of the server",
      cause: error,
    });
  }
}

/** True when the error says that the thing is not there: HTTP 404 or 410, or no such file. */
export function isNotFound(error: unknown): boolean {
  if (error instanceof NetworkError) return error.status === 404 || error.status === 410;
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  return cause?.code === "ENOENT" || cause?.code === "ENOTDIR";
}

/** True when trying the same again may help: the connection broke, or the server is busy or out of order. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof NetworkError)) return false;
  return error.status === undefined ? !isPermanent(error) : retriable.has(error.status);
}

async function followRedirects(first: URL, method: string, options: HttpOptions): Promise<Response> {
  let url = first;
  for (let hops = 0; ; hops++) {
    const response = await send(url, first, method, options);
    const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get("location") : null;
    if (location === null || options.allow?.includes(response.status)) return response;
    await response.body?.cancel().catch(() => {});
    const next = tryUrl(location, url);
    const trouble =
      hops >= maxRedirects
        ? `the server redirected more than ${maxRedirects} times`
        : method !== "GET" && method !== "HEAD"
          ? `the server redirected a ${method} request`
          : next === undefined || !/^https?:$/.test(next.protocol)
            ? `the server redirected to "${publicUrl(location)}", which is not an http address`
            : url.protocol === "https:" && next.protocol === "http:"
              ? `the server redirected from https to an unencrypted address, ${publicUrl(next)}`
              : undefined;
    if (trouble !== undefined || next === undefined) {
      throw new NetworkError(trouble ?? "bad redirect", {
        where: publicUrl(first),
        status: response.status,
        hint: "give the address that it should lead to",
      });
    }
    url = next;
  }
}

async function send(url: URL, first: URL, method: string, options: HttpOptions): Promise<Response> {
  // What is sent takes its time too: 100 kB/s is a slow line.
  const timeoutMs = (options.timeoutMs ?? defaultTimeoutMs()) + (options.body?.length ?? 0) / 100;
  const silence = new AbortController();
  const { signal } = options;
  const headers: Record<string, string> = { "accept-encoding": "identity", "user-agent": "foehn", ...options.headers };
  const target = new URL(url);
  if (url.origin === first.origin) {
    if (first.username !== "") {
      const pair = `${unescaped(first.username)}:${unescaped(first.password)}`;
      headers.authorization ??= `Basic ${Buffer.from(pair).toString("base64")}`;
    }
  } else {
    for (const name of Object.keys(headers)) {
      if (/^(authorization|cookie|proxy-authorization|x-amz-.*|.*(token|api-?key).*)$/i.test(name))
        delete headers[name];
    }
  }
  target.username = "";
  target.password = "";
  const timer = setTimeout(() => silence.abort(), timeoutMs);
  try {
    const response = await (options.fetch ?? (await ambientFetch()))(target, {
      method,
      headers,
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      // Bytes over shared memory are not a body for fetch's types; none of ours are.
      ...(options.body === undefined ? {} : { body: options.body as Uint8Array<ArrayBuffer> | string }),
    });
    return guardBody(response, url, silence, timeoutMs, signal);
  } catch (error) {
    throw connectionError(error, url, silence, timeoutMs, signal);
  } finally {
    clearTimeout(timer);
  }
}

/** A user name or password as it is meant; a percent sign that begins no escape stands for itself. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The same answer with a body that ends in NetworkError when nothing comes for too long or the connection breaks. */
function guardBody(
  response: Response,
  url: URL,
  silence: AbortController,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Response {
  const { body, status, statusText, headers } = response;
  if (body === null) return response;
  const reader = body.getReader();
  const guarded = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const timer = setTimeout(() => silence.abort(), timeoutMs);
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          controller.error(connectionError(error, url, silence, timeoutMs, signal));
        } finally {
          clearTimeout(timer);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  const same = new Response(guarded, { status, statusText, headers });
  Object.defineProperty(same, "url", { value: response.url });
  return same;
}

const advice: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such host: check the address and the network",
  EAI_AGAIN: "the name could not be looked up: check the network",
  ECONNREFUSED: "nothing listens there: check the address and the port",
  ECONNRESET: "the server closed the connection: try again later",
  UND_ERR_SOCKET: "the server closed the connection: try again later",
};

function connectionError(
  error: unknown,
  url: URL,
  silence: AbortController,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Error {
  if (signal?.aborted) {
    if (signal.reason instanceof InterruptedError) return signal.reason;
    return new InterruptedError(`the request to ${publicUrl(url)} was interrupted`, { cause: signal.reason });
  }
  const where = publicUrl(url);
  if (silence.signal.aborted) {
    return new NetworkError(`the server ${url.host} sent nothing for ${timeoutMs / 1000} s`, {
      where,
      hint: "try again later; the variable FOEHN_HTTP_TIMEOUT (seconds) allows it more time",
      cause: error,
    });
  }
  const cause = innermost(error);
  const code = codeOf(cause);
  const what = cause instanceof Error && cause.message !== "" ? cause.message : (code ?? String(error));
  return new NetworkError(`the connection to ${url.host} failed: ${what}`, {
    where,
    hint: advice[code ?? ""] ?? (/CERT|SIGNED|TLS/.test(code ?? "") ? "the server's certificate is not accepted" : ""),
    cause: error,
  });
}

function innermost(error: unknown): unknown {
  let inner = error;
  for (let depth = 0; depth < 5 && inner instanceof Error; depth++) {
    const next: unknown = inner instanceof AggregateError ? inner.errors[0] : inner.cause;
    if (next === undefined) break;
    inner = next;
  }
  return inner;
}

const codeOf = (error: unknown): string | undefined => {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
};

/** Trouble that is the same a second later. */
function isPermanent(error: NetworkError): boolean {
  const code = codeOf(innermost(error.cause));
  return code !== undefined && (code === "ENOTFOUND" || /CERT|SIGNED|INVALID/.test(code));
}

async function refusal(
  response: Response,
  url: string | URL,
  method: string,
  askedMs: number | undefined,
  options: HttpOptions,
): Promise<NetworkError> {
  const { status, statusText } = response;
  const said = await explanation(response);
  const hints: Readonly<Record<number, string>> = {
    401: options.credentialHint ?? "this address needs credentials",
    403: options.credentialHint ?? "this address needs credentials, or other ones",
    404: options.notFoundHint ?? "check the address",
    429: `the server asks to wait: try again ${askedMs === undefined ? "later" : `in ${Math.ceil(askedMs / 1000)} s`}`,
  };
  return new NetworkError(
    `${new URL(url).host} answered ${method} with ${`${status} ${statusText}`.trim()}${said === "" ? "" : `: ${said}`}`,
    {
      status,
      where: publicUrl(url),
      hint: hints[status] ?? (status >= 500 ? "the server is out of order: try again later" : "check the address"),
    },
  );
}

/** What the server says about a refusal, in a few words: a header, JSON, S3's XML or plain text; never a web page. */
async function explanation(response: Response): Promise<string> {
  const header = response.headers.get("x-error-message");
  const text = (await beginning(response, 64 << 10)).toString("utf8").trim();
  const found =
    header ?? fromJson(text) ?? /<Message>([^<]*)<\/Message>/.exec(text)?.[1] ?? (/^[<{]/.test(text) ? "" : text);
  // What a server says must not steer a terminal.
  return found
    .replace(/[\p{Cc}\s]+/gu, " ")
    .slice(0, 200)
    .trim();
}

/** The first bytes of a body, as far as they come within two seconds; the connection is not kept for the rest. */
async function beginning(response: Response, limit: number): Promise<Buffer> {
  const reader = response.body?.getReader();
  if (reader === undefined) return Buffer.alloc(0);
  const leave = (): void => void reader.cancel().catch(() => {});
  const timer = setTimeout(leave, 2000);
  const chunks: Uint8Array[] = [];
  try {
    for (let size = 0; size < limit; size += chunks.at(-1)!.byteLength) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
    }
  } catch {
    // What has come says more than that it broke off.
  } finally {
    clearTimeout(timer);
    leave();
  }
  return Buffer.concat(chunks);
}

function fromJson(text: string): string | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown> | null;
    for (const key of ["error", "message", "detail", "title", "requestStatus"]) {
      const said: unknown = value?.[key];
      if (typeof said === "string") return said;
      if (typeof said === "object" && said !== null) {
        const inner = Object.values(said).find((v) => typeof v === "string" && v.includes(" "));
        if (typeof inner === "string") return inner;
      }
    }
  } catch {
    // not JSON
  }
  return undefined;
}

/** Half to all of the doubled time, so that many clients do not come back at once. */
function backOff(attempt: number, first: number): number {
  return Math.min(20_000, first * 2 ** attempt) * (0.5 + Math.random() / 2);
}

/** Retry-After in milliseconds: seconds or a date. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function defaultTimeoutMs(): number {
  const seconds = Number(process.env.FOEHN_HTTP_TIMEOUT);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 60_000;
}

function tryUrl(text: string, base: URL): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}

// A web server as a store: objects under a base address, parts by Range requests (RFC 9110 §14), versions by ETag.
// Servers that ignore ranges give the right bytes too: what was not asked for is read over. Not here: retries of a request (http.ts).

import { NetworkError, UsageError } from "../../core/errors.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { fetchWithRetry, type HttpOptions, isTransient } from "./http.js";
import { checkedPath, encodePath } from "./object-path.js";
import type { ObjectInfo, ObjectStore, ObjectStream, RangeOptions, StreamOptions } from "./object-store.js";
import { publicUrl } from "./public-url.js";

/** Options of `openHttpStore`. */
export interface HttpStoreOptions
  extends Pick<
    HttpOptions,
    "fetch" | "retries" | "retryDelayMs" | "timeoutMs" | "credentialHint" | "notFoundHint" | "headers"
  > {
  /** Bearer token. */
  readonly token?: string | undefined;
}

/** How a store makes the address of a path; other stores than a plain server have to ask first. */
export type UrlOf = (path: string) => string | Promise<string>;

/** Objects below an http(s) address. A query in the address (a signature) is kept for every path. */
export function openHttpStore(base: string, options: HttpStoreOptions = {}): ObjectStore {
  const url = parseBase(base);
  const folder = url.pathname.replace(/\/+$/, "");
  return storeOver(
    publicUrl(base),
    (path) => {
      const target = new URL(url);
      if (path !== "") target.pathname = `${folder}/${encodePath(path)}`;
      return target.href;
    },
    options,
  );
}

/** A store whose objects are read by plain HTTP from the addresses that `urlOf` gives. */
export function storeOver(description: string, urlOf: UrlOf, options: HttpStoreOptions = {}): ObjectStore {
  const { token, headers, ...rest } = options;
  const common: HttpOptions = {
    ...rest,
    headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    credentialHint: options.credentialHint ?? "this address needs credentials: pass a token",
  };
  const request = async (path: string, more: HttpOptions): Promise<Response> =>
    fetchWithRetry(await urlOf(checkedPath(path, description)), {
      ...common,
      ...more,
      headers: { ...common.headers, ...more.headers },
    });

  const store: ObjectStore = {
    description,
    async head(path, { signal } = {}) {
      // Some servers refuse HEAD or leave out the size, and a signed address may be good for GET only; a request for one byte tells both,
      // and whether ranges work.
      const response = await request(path, { method: "HEAD", signal, allow: [401, 403, 404, 405, 410, 501] });
      if (response.status === 404 || response.status === 410) return undefined;
      if (response.status < 400 && response.headers.has("content-length")) {
        return infoOf(response.headers, response.headers.get("accept-ranges") === "bytes");
      }
      const probe = await request(path, { signal, headers: { range: "bytes=0-0" }, allow: [404, 410, 416] });
      await probe.body?.cancel().catch(() => {});
      if (probe.status === 404 || probe.status === 410) return undefined;
      const ranges = probe.status !== 200;
      return { ...infoOf(probe.headers, ranges), ...(ranges ? { size: contentRange(probe.headers)?.size } : {}) };
    },
    async read(path, options = {}) {
      // A body that breaks off is asked for again as a whole; downloads of large files go on where they stopped (hub/cache).
      for (let attempt = 0; ; attempt++) {
        try {
          return await readOnce(path, options);
        } catch (error) {
          if (attempt >= (rest.retries ?? 4) || !isTransient(error)) throw error;
          if (error instanceof NetworkError && error.status !== undefined) throw error; // its own attempts are used up
          throwIfInterrupted(options.signal, description);
        }
      }
    },
    async stream(path, { start = 0, end, etag, signal }: StreamOptions = {}): Promise<ObjectStream> {
      const whole = start === 0 && end === undefined;
      const range = start < 0 ? `bytes=${start}` : `bytes=${start}-${end === undefined ? "" : end - 1}`;
      // If-Range takes strong validators only.
      const condition = etag !== undefined && !etag.startsWith("W/") ? { "if-range": etag } : undefined;
      const response = await request(path, {
        signal,
        allow: [416],
        ...(whole ? {} : { headers: { range, ...condition } }),
      });
      const { headers, status } = response;
      const body = response.body ?? new ReadableStream({ start: (controller) => controller.close() });
      const tags = infoOf(headers, true);
      if (status === 206) {
        const sent = contentRange(headers);
        if (sent?.start === undefined || (start >= 0 && sent.start !== start)) {
          await body.cancel().catch(() => {});
          throw new NetworkError(`the server sent other bytes than asked for (${headers.get("content-range")})`, {
            where: `${description}/${path}`,
          });
        }
        return { ...tags, body, size: sent.size, offset: sent.start, partial: true };
      }
      if (status === 416) {
        await body.cancel().catch(() => {});
        const empty = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
        return { ...tags, body: empty, size: contentRange(headers)?.size, offset: start, partial: true };
      }
      return { ...tags, body, size: tags.size, offset: 0, partial: false };
    },
  };

  async function readOnce(path: string, { start = 0, end, signal }: RangeOptions): Promise<Uint8Array> {
    if (end !== undefined && start >= 0 && end <= start) return new Uint8Array();
    const whole = start === 0 && end === undefined;
    if (start < 0) return readEnd(path, -start, signal);
    const { body, offset } = await store.stream(path, { start, end, signal });
    const skip = whole ? 0 : start - offset;
    return collect(body, skip, end === undefined ? Number.POSITIVE_INFINITY : end - offset);
  }

  async function readEnd(path: string, count: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const response = await request(path, { signal, allow: [416], headers: { range: `bytes=-${count}` } });
    if (response.body === null || response.status === 416) return new Uint8Array();
    const bytes = await collect(response.body, 0, Number.POSITIVE_INFINITY);
    return bytes.byteLength > count ? bytes.subarray(bytes.byteLength - count) : bytes;
  }

  return store;
}

/** Bytes from `from` up to `to` of a body; the rest of it is not waited for. */
async function collect(body: ReadableStream<Uint8Array>, from: number, to: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for await (const chunk of body) {
    const begin = Math.max(0, from - at);
    const stop = Math.min(chunk.byteLength, to - at);
    if (stop > begin) chunks.push(chunk.subarray(begin, stop));
    at += chunk.byteLength;
    if (at >= to) break; // leaving the loop cancels the body
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function infoOf(headers: Headers, ranges: boolean): ObjectInfo {
  // Of a compressed body the length says nothing: fetch unpacks it.
  const packed = (headers.get("content-encoding") ?? "identity") !== "identity";
  const length = packed ? null : headers.get("content-length");
  const etag = headers.get("etag") ?? undefined;
  const lastModified = headers.get("last-modified") ?? undefined;
  return {
    size: length === null || !/^\d+$/.test(length) ? undefined : Number(length),
    ranges,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}

/** `bytes 0-99/1234`, or `bytes * /1234` of a refusal. */
function contentRange(headers: Headers): { start: number | undefined; size: number | undefined } | undefined {
  const match = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (!match) return undefined;
  const [, start, size] = match;
  return {
    start: start === undefined ? undefined : Number(start),
    size: size === undefined || size === "*" ? undefined : Number(size),
  };
}

function parseBase(base: string): URL {
  try {
    const url = new URL(base);
    url.hash = "";
    return url;
  } catch (error) {
    throw new UsageError(`"${base}" is not an http address`, { hint: "write https://host/path", cause: error });
  }
}

// For tests only: a web server on 127.0.0.1 whose faults can be chosen per path: it ignores ranges, cuts, resets, flips bits, lies about
// lengths, redirects, refuses a number of times. It records what it was asked. It stops when the test calls `close`.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How one path misbehaves. */
export interface Fault {
  /** Ranges get the whole file with 200. */
  readonly noRanges?: boolean;
  /** HEAD is refused with 405, or with this status. */
  readonly noHead?: boolean | number;
  /** The connection breaks after so many bytes of a body … */
  readonly resetAfter?: number;
  /** … this often (default: always). Also the number of times that `status` is answered. */
  readonly times?: number;
  /** Bit of the file that is the wrong way round. */
  readonly flipBit?: number;
  /** Content-Length as declared, whatever comes. */
  readonly contentLength?: number;
  /** This status in place of the file. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Bytes per millisecond, for tests that need time. */
  readonly slow?: number;
  /** Never answers. */
  readonly silent?: boolean;
}

/** One request that arrived. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

/** What a test holds. */
export interface TestServer {
  readonly url: string;
  readonly seen: Seen[];
  /** Files by path with a leading "/"; may be changed at any time. */
  readonly files: Map<string, Uint8Array>;
  readonly faults: Map<string, Fault>;
  /** Bytes of bodies sent so far, of all files. */
  sent(): number;
  close(): Promise<void>;
}

/** A handler that may answer a request before the files are looked at; true when it did. */
export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean | Promise<boolean>;

/** Starts a server. */
export async function startServer(
  files: Readonly<Record<string, Uint8Array | string>> = {},
  handler?: Handler,
): Promise<TestServer> {
  const contents = new Map(Object.entries(files).map(([path, data]) => [path, Buffer.from(data as Uint8Array)]));
  const faults = new Map<string, Fault>();
  const used = new Map<string, number>();
  const seen: Seen[] = [];
  let sent = 0;

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => void answer(request, response, Buffer.concat(chunks)));
  });

  async function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const url = new URL(request.url ?? "/", "http://localhost");
    const path = decodeURIComponent(url.pathname);
    seen.push({ method: request.method ?? "", path: request.url ?? "", headers: request.headers });
    if (await handler?.(request, response, body)) return;
    let fault = faults.get(path) ?? {};
    if (fault.times !== undefined) {
      const before = used.get(path) ?? 0;
      used.set(path, before + 1);
      if (before >= fault.times) fault = {};
    }
    if (fault.silent) return;
    if (fault.status !== undefined) {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
      return;
    }
    const file = contents.get(path);
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    if (request.method === "HEAD" && fault.noHead) {
      response.writeHead(fault.noHead === true ? 405 : fault.noHead).end();
      return;
    }
    const etag = `"${createHash("sha256").update(file).digest("hex").slice(0, 16)}"`;
    response.setHeader("etag", etag);
    response.setHeader("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT");
    for (const [name, value] of Object.entries(fault.headers ?? {})) response.setHeader(name, value);
    if (!fault.noRanges) response.setHeader("accept-ranges", "bytes");
    if (request.headers["if-none-match"] === etag) {
      response.writeHead(304).end();
      return;
    }
    const condition = request.headers["if-range"];
    const range =
      fault.noRanges || (condition && condition !== etag) ? null : rangeOf(request.headers.range, file.length);
    if (range === undefined) {
      response.writeHead(416, { "content-range": `bytes */${file.length}` }).end();
      return;
    }
    const [start, end] = range ?? [0, file.length];
    const part = Buffer.from(file.subarray(start, end));
    if (fault.flipBit !== undefined) {
      const at = (fault.flipBit >> 3) - start;
      if (at >= 0 && at < part.length) part[at] = part[at]! ^ (1 << (fault.flipBit & 7));
    }
    if (range) response.setHeader("content-range", `bytes ${start}-${end - 1}/${file.length}`);
    response.setHeader("content-length", fault.contentLength ?? part.length);
    response.writeHead(range ? 206 : 200);
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    const stop = Math.min(part.length, fault.resetAfter ?? part.length);
    const step = fault.slow === undefined ? 1 << 20 : Math.max(1, Math.round(fault.slow * 5));
    for (let at = 0; at < stop && !response.destroyed; at += step) {
      const piece = part.subarray(at, Math.min(stop, at + step));
      sent += piece.length;
      if (!response.write(piece))
        await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
      if (fault.slow !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (fault.resetAfter !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 10)); // let what was written leave
      response.destroy();
    } else response.end();
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    files: contents as Map<string, Uint8Array>,
    faults,
    sent: () => sent,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** null: no range asked; undefined: one that cannot be. */
function rangeOf(header: string | undefined, size: number): [number, number] | null | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match) return null;
  const [, first = "", last = ""] = match;
  if (first === "") return size === 0 ? undefined : [Math.max(0, size - Number(last)), size];
  if (Number(first) >= size) return undefined;
  return [Number(first), last === "" ? size : Math.min(size, Number(last) + 1)];
}

// Uploads to S3 that are too large for one request: begun, sent in parts, completed; given up on failure so that nothing is left to pay
// for. "S3 API Reference": CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload.

import { open } from "node:fs/promises";
import { NetworkError } from "../../core/errors.js";
import { fetchWithRetry, type HttpOptions, readBody } from "./http.js";
import { publicUrl } from "./public-url.js";

/** Bodies up to this size go in one request; larger ones in parts of at least this size (S3 allows 10,000 parts). */
export const defaultPartBytes = 64 << 20;

/** Sends an object in parts. @throws NetworkError */
export async function uploadInParts(
  url: string,
  body: Uint8Array | { readonly file: string },
  size: number,
  partBytes: number,
  options: HttpOptions,
): Promise<void> {
  const step = Math.max(partBytes, Math.ceil(size / 10_000));
  const begun = await textOf(await fetchWithRetry(`${url}?uploads=`, { ...options, method: "POST" }), url);
  const id = /<UploadId>(.*?)<\/UploadId>/s.exec(begun)?.[1];
  if (id === undefined) throw new NetworkError("the service began no upload", { where: publicUrl(url) });
  const upload = `uploadId=${encodeURIComponent(id)}`;
  const handle = body instanceof Uint8Array ? undefined : await open(body.file, "r");
  try {
    const parts: string[] = [];
    for (let start = 0, number = 1; start < size; start += step, number++) {
      const count = Math.min(step, size - start);
      const bytes = body instanceof Uint8Array ? body.subarray(start, start + count) : Buffer.alloc(count);
      for (let at = 0; handle && at < count; ) {
        const { bytesRead } = await handle.read(bytes, at, count - at, start + at);
        if (bytesRead === 0)
          throw new NetworkError("the file became shorter while it was sent", { where: publicUrl(url) });
        at += bytesRead;
      }
      const sent = await fetchWithRetry(`${url}?partNumber=${number}&${upload}`, {
        ...options,
        method: "PUT",
        body: bytes,
      });
      await sent.body?.cancel();
      parts.push(`<Part><PartNumber>${number}</PartNumber><ETag>${sent.headers.get("etag") ?? ""}</ETag></Part>`);
    }
    const list = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    const done = await textOf(
      await fetchWithRetry(`${url}?${upload}`, { ...options, method: "POST", body: list }),
      url,
    );
    // The service may answer 200 first and find the error later.
    if (/<Error>/.test(done)) {
      const said = /<Message>(.*?)<\/Message>/s.exec(done)?.[1] ?? "no reason given";
      throw new NetworkError(`the upload was refused: ${said}`, { where: publicUrl(url) });
    }
  } catch (error) {
    const { signal: _, ...rest } = options;
    await fetchWithRetry(`${url}?${upload}`, { ...rest, method: "DELETE", retries: 1 }).catch(() => {});
    throw error;
  } finally {
    await handle?.close();
  }
}

async function textOf(response: Response, url: string): Promise<string> {
  return Buffer.from(await readBody(response, 1 << 20, url)).toString("utf8");
}

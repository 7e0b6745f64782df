// A bucket of S3, or of any service that speaks its language (MinIO, Ceph, Google's XML interface), as a store. Requests are signed by
// aws4fetch (Signature Version 4). Described in Amazon's "S3 API Reference": GetObject, ListObjectsV2, PutObject.
// Not here: where keys come from (s3-credentials.ts); large uploads (s3-upload.ts).

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { AwsV4Signer } from "aws4fetch";
import { NetworkError, UsageError } from "../../core/errors.js";
import { ambientFetch } from "./ambient-fetch.js";
import { fetchWithRetry, type HttpOptions, readBody } from "./http.js";
import { storeOver } from "./http-store.js";
import { checkedPath, encodePath } from "./object-path.js";
import type { ObjectStore } from "./object-store.js";
import { publicUrl } from "./public-url.js";
import { findS3Account, type S3Account } from "./s3-credentials.js";
import { defaultPartBytes, uploadInParts } from "./s3-upload.js";

/** Options of `openS3Store`. */
export interface S3Options {
  /** Send no keys, even when there are some. */
  readonly anonymous?: boolean | undefined;
  /** Profile of the AWS configuration files. */
  readonly profile?: string | undefined;
  /** Another service than Amazon's; default AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or S3_ENDPOINT. Buckets are then a part of the path. */
  readonly endpoint?: string | undefined;
  /** Default AWS_REGION, AWS_DEFAULT_REGION, the profile's, or what the service says. */
  readonly region?: string | undefined;
  /** Larger objects are sent in parts of this size; default 64 MiB. */
  readonly partBytes?: number | undefined;
}

type Network = Pick<HttpOptions, "fetch" | "retries" | "retryDelayMs" | "timeoutMs">;

/** Where requests go and who sends them; both are corrected by what the service answers. */
interface Route {
  readonly account: S3Account;
  region: string;
  /** Hosts of regions that were tried in vain: requests that were made for them go to the right one. */
  readonly left: Set<string>;
  /** False once it is known that the bucket is open and our keys are not wanted. */
  sign: boolean;
  /** True once a signed request was accepted. */
  accepted: boolean;
}

/** Objects of s3://bucket/prefix. Public buckets need no keys, and keys that are refused do not close them. @throws UsageError */
export function openS3Store(uri: string, options: S3Options & Network = {}): ObjectStore {
  const match = /^(?:s3|gs):\/\/([^/?#]+)\/?(.*)$/i.exec(uri);
  if (match?.[1] === undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/.test(match[1])) {
    throw new UsageError(`"${publicUrl(uri)}" is not the address of a bucket`, {
      hint: "write s3://bucket/folder; keys belong into the environment or a profile",
    });
  }
  const bucket = match[1];
  const prefix = (match[2] ?? "").replace(/\/+$/, "");
  const description = prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
  checkedPath(prefix, `s3://${bucket}`);

  let found: Promise<Route> | undefined;
  const connect = (): Promise<Route> => {
    found ??= findS3Account(options).then((account) => ({
      account,
      region: options.region ?? account.region ?? "us-east-1",
      left: new Set(),
      sign: account.keys !== undefined,
      accepted: false,
    }));
    return found;
  };

  const baseOf = ({ account, region }: Route): string => {
    const endpoint = options.endpoint ?? account.endpoint;
    if (endpoint)
      return `${/^https?:/.test(endpoint) ? endpoint : `https://${endpoint}`}`.replace(/\/*$/, `/${bucket}`);
    // A dot in the bucket's name does not fit the certificate of host names.
    const host = `s3.${region}.amazonaws.com`;
    return bucket.includes(".") ? `https://${host}/${bucket}` : `https://${bucket}.${host}`;
  };
  const keyOf = (path: string): string => [prefix, path].filter((part) => part !== "").join("/");
  const urlOf = async (path: string): Promise<string> => `${baseOf(await connect())}/${encodePath(keyOf(path))}`;

  const send = async (input: string | URL | Request, init: RequestInit = {}, isAgain = false): Promise<Response> => {
    const rawFetch = options.fetch ?? (await ambientFetch());
    const known = await connect();
    const url = new URL(input instanceof Request ? input.url : input);
    const own = new URL(baseOf(known));
    if (known.left.has(url.origin)) url.host = own.host;
    // A redirect has led away: what is there must not see our signature.
    if (url.origin !== own.origin) return rawFetch(url, init);
    const { region } = known;
    const first = await rawFetch(url, known.sign ? await signed(url, init, known) : init);
    const actual = first.headers.get("x-amz-bucket-region") ?? "";
    const isElsewhere = actual !== region && /^[a-z0-9-]+$/.test(actual) && [301, 307, 400, 403].includes(first.status);
    if (isElsewhere && !isAgain) {
      // Another request may have learnt it in the meantime.
      known.left.add(own.origin);
      known.region = actual;
      await first.body?.cancel();
      return send(url, init, true);
    }
    if (first.ok && known.sign) known.accepted = true;
    const reading = init.method === "GET" || init.method === "HEAD";
    if (![400, 401, 403].includes(first.status) || !known.sign || known.accepted || !reading) return first;
    // Old or foreign keys must not close a public bucket.
    const open = await rawFetch(url, init);
    await (open.ok ? first : open).body?.cancel();
    if (!open.ok) return first;
    known.sign = false;
    return open;
  };

  const network: HttpOptions = {
    ...options,
    fetch: send as typeof globalThis.fetch,
    credentialHint:
      "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; S3 also says this of objects that are missing",
  };
  const objects = storeOver(description, urlOf, network);
  const whole = async (response: Response, url: string): Promise<string> =>
    Buffer.from(await readBody(response, 16 << 20, url)).toString("utf8");

  return {
    ...objects,
    async *list(start, { signal, shallow } = {}) {
      checkedPath(start.replace(/\/$/, ""), description);
      const base = baseOf(await connect());
      const cut = prefix === "" ? 0 : prefix.length + 1;
      let token: string | undefined;
      do {
        const query = new URLSearchParams({ "list-type": "2", prefix: prefix === "" ? start : `${prefix}/${start}` });
        if (shallow) query.set("delimiter", "/");
        if (token !== undefined) query.set("continuation-token", token);
        const url = `${base}/?${query.toString().replaceAll("+", "%20")}`;
        const xml = await whole(await fetchWithRetry(url, { ...network, signal }), url);
        for (const [, entry = ""] of xml.matchAll(
          /<(?:Contents|CommonPrefixes)>(.*?)<\/(?:Contents|CommonPrefixes)>/gs,
        )) {
          const key = field(entry, "Key") ?? field(entry, "Prefix") ?? "";
          const size = field(entry, "Size");
          const path = key.slice(cut);
          // Empty objects that stand for folders are not files.
          if (path !== "" && (size === undefined || !path.endsWith("/"))) {
            yield { path, ...(size === undefined ? {} : { size: Number(size) }) };
          }
        }
        const next = field(xml, "NextContinuationToken");
        if (field(xml, "IsTruncated") === "true" && (next === undefined || next === token)) {
          throw new NetworkError("the list of objects is cut off and says not how to go on", { where: description });
        }
        token = field(xml, "IsTruncated") === "true" ? next : undefined;
      } while (token !== undefined);
    },
    async put(path, body, { signal } = {}) {
      const url = await urlOf(checkedPath(path, description));
      const size = body instanceof Uint8Array ? body.byteLength : (await stat(body.file)).size;
      const partBytes = options.partBytes ?? defaultPartBytes;
      if (size > partBytes) return uploadInParts(url, body, size, partBytes, { ...network, signal });
      const bytes = body instanceof Uint8Array ? body : await readFile(body.file);
      await fetchWithRetry(url, { ...network, method: "PUT", body: bytes, signal });
    },
  };
}

/** The request with a signature of this moment. */
async function signed(url: URL, init: RequestInit, { account, region }: Route): Promise<RequestInit> {
  if (!account.keys) return init;
  const body = (init.body ?? "") as string | Uint8Array;
  const signer = new AwsV4Signer({
    ...account.keys,
    method: init.method ?? "GET",
    url: url.href,
    headers: { "x-amz-content-sha256": createHash("sha256").update(body).digest("hex") },
    service: "s3",
    region,
  });
  const { headers } = await signer.sign();
  return { ...init, headers: { ...(init.headers as Record<string, string>), ...Object.fromEntries(headers) } };
}

/** Text of the first element of that name. */
function field(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>(.*?)</${name}>`, "s").exec(xml)?.[1];
  return text
    ?.replace(/&#(x[0-9a-f]+|\d+);/gi, (_, code: string) => String.fromCodePoint(Number(code.replace(/^x/i, "0x"))))
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&apos;/g, "'")
    .replace(/&amp;/g, "&");
}

import { createHash, createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openObjectStore } from "./object-store.js";
import { findS3Account } from "./s3-credentials.js";
import { startServer, type TestServer } from "./server.test-support.js";

const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const quick = { retryDelayMs: 1, timeoutMs: 2000, retries: 1 };
let server: TestServer;
let folder: string;
const objects = new Map<string, Buffer>();
let isPublic = false;

// A service in S3's shape, path style, that computes the signature of each request by itself (Signature Version 4, "Authenticating
// Requests: Using the Authorization Header").
beforeEach(async () => {
  objects.clear();
  isPublic = false;
  folder = await mkdtemp(join(tmpdir(), "foehn-s3-"));
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"]) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "credentials"));
  vi.stubEnv("AWS_CONFIG_FILE", join(folder, "config"));
  server = await startServer({}, (request, response, body) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const refuse = (status: number, code: string, headers = {}): boolean => {
      response
        .writeHead(status, headers)
        .end(`<Error><Code>${code}</Code><Message>${code} &amp; so on</Message></Error>`);
      return true;
    };
    const { authorization } = request.headers;
    if (authorization !== undefined || !isPublic) {
      if (authorization === undefined) return refuse(403, "AccessDenied");
      const region = /Credential=AKID\/\d{8}\/([^/]+)\/s3\/aws4_request/.exec(authorization)?.[1];
      if (region === undefined) return refuse(403, "InvalidAccessKeyId");
      if (region !== "eu-west-3") return refuse(400, "WrongRegion", { "x-amz-bucket-region": "eu-west-3" });
      if (!authorization.endsWith(`Signature=${signature(request.method ?? "", url, request.headers, region)}`)) {
        return refuse(403, "SignatureDoesNotMatch");
      }
      const hash = createHash("sha256").update(body).digest("hex");
      if (request.headers["x-amz-content-sha256"] !== hash) return refuse(400, "BadDigest");
    }
    const key = decodeURIComponent(url.pathname).replace(/^\/bucket\/?/, "");
    const query = url.searchParams;
    if (request.method === "GET" && query.get("list-type") === "2") {
      const [prefix, delimiter] = [query.get("prefix") ?? "", query.get("delimiter")];
      const keys = [...objects.keys()].filter((name) => name.startsWith(prefix)).sort();
      const from = Number(query.get("continuation-token") ?? 0);
      const shown = keys.slice(from, from + 2); // pages of two
      const folders = new Set<string>();
      const contents = shown.map((name) => {
        const end = delimiter ? name.indexOf("/", prefix.length) : -1;
        if (end >= 0) folders.add(name.slice(0, end + 1));
        return end >= 0
          ? ""
          : `<Contents><Key>${name.replace(/&/g, "&amp;")}</Key><Size>${objects.get(name)?.length}</Size></Contents>`;
      });
      const more = from + 2 < keys.length;
      response.end(
        `<?xml version="1.0"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${contents.join("")}${[...folders]
          .map((name) => `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`)
          .join("")}${more ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : ""}</ListBucketResult>`,
      );
      return true;
    }
    if (request.method === "POST" && query.has("uploads")) {
      response.end("<InitiateMultipartUploadResult><UploadId>up/1</UploadId></InitiateMultipartUploadResult>");
      return true;
    }
    if (request.method === "PUT") {
      objects.set(query.has("partNumber") ? `part ${query.get("partNumber")} of ${query.get("uploadId")}` : key, body);
      response.writeHead(200, { etag: `"${createHash("md5").update(body).digest("hex")}"` }).end();
      return true;
    }
    if (request.method === "POST" && query.has("uploadId")) {
      const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>"[0-9a-f]{32}"<\/ETag>/g)];
      const parts = numbers.map(([, number]) => objects.get(`part ${number} of up/1`) ?? Buffer.alloc(0));
      objects.set(key, Buffer.concat(parts));
      response.end("<CompleteMultipartUploadResult/>");
      return true;
    }
    const object = objects.get(key);
    if (!object) return refuse(404, "NoSuchKey");
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "");
    const [start, end] = range
      ? [Number(range[1]), Math.min(object.length, Number(range[2] || 1e9) + 1)]
      : [0, object.length];
    response.writeHead(range ? 206 : 200, {
      "content-length": end - start,
      "accept-ranges": "bytes",
      ...(range ? { "content-range": `bytes ${start}-${end - 1}/${object.length}` } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : object.subarray(start, end));
    return true;
  });
  vi.stubEnv("S3_ENDPOINT", server.url);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

function signature(
  method: string,
  url: URL,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  region: string,
): string {
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const escaped = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const names = /SignedHeaders=([^,]+)/.exec(String(headers.authorization))?.[1]?.split(";") ?? [];
  const date = String(headers["x-amz-date"]);
  const query = [...url.searchParams].map(([k, v]) => `${escaped(k)}=${escaped(v)}`).sort();
  const canonical = [
    method,
    decodeURIComponent(url.pathname).split("/").map(escaped).join("/"),
    query.join("&"),
    ...names.map((name) => `${name}:${String(headers[name]).trim()}`),
    "",
    names.join(";"),
    headers["x-amz-content-sha256"],
  ].join("\n");
  const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", date, scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const key = ["s3", "aws4_request"].reduce(hmac, hmac(hmac(`AWS4${secret}`, date.slice(0, 8)), region));
  return createHmac("sha256", key).update(text).digest("hex");
}

const useKeys = (): void => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKID");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", secret);
};

describe("an s3 store", () => {
  it("signs reads, writes and lists, and finds the bucket's region", async () => {
    useKeys();
    const store = openObjectStore("s3://bucket/models", quick);
    const names = ["a/x y+z'(1)*!.bin", "a/é&.bin", "b.txt", "c/d/e", "f"];
    for (const name of names) await store.put?.(name, Buffer.from(name));
    objects.set("other/one", Buffer.from("not ours"));
    for (const name of names) expect(Buffer.from(await store.read(name)).toString()).toBe(name);
    expect(Buffer.from(await store.read("b.txt", { start: 2, end: 4 })).toString()).toBe("tx");
    expect(await store.head("b.txt")).toMatchObject({ size: 5, ranges: true });
    expect(await store.head("none")).toBeUndefined();
    const listed = [];
    for await (const entry of store.list?.("") ?? []) listed.push(entry);
    expect(listed.map((entry) => entry.path)).toEqual([...names].sort());
    expect(listed.find((entry) => entry.path === "b.txt")?.size).toBe(5);
    const shallow = [];
    for await (const { path } of store.list?.("", { shallow: true }) ?? []) shallow.push(path);
    expect([...new Set(shallow)].sort()).toEqual(["a/", "b.txt", "c/", "f"]);
  });

  it("finds the region once for many readers at the same time", async () => {
    useKeys();
    const names = ["a", "b", "c", "d"];
    for (const name of names) objects.set(name, Buffer.from(name));
    const store = openObjectStore("s3://bucket", { ...quick, retries: 0 });
    const read = await Promise.all(names.map((name) => store.read(name)));
    expect(read.map((bytes) => Buffer.from(bytes).toString())).toEqual(names);
  });

  it("goes to the host of the bucket's region, with all parts of an upload, and not round in circles", async () => {
    useKeys();
    vi.stubEnv("S3_ENDPOINT", undefined);
    const asked: string[] = [];
    let regions = ["eu-west-3"];
    const answer = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
      const { host, search } = new URL(String(input));
      const region = regions[asked.length % regions.length]!;
      asked.push(`${init.method} ${host}${search.replace(/=.*/, "")}`);
      expect(new Headers(init.headers).get("authorization")).toContain("Signature=");
      if (host !== `bucket.s3.${region}.amazonaws.com`)
        return new Response(null, { status: 301, headers: { "x-amz-bucket-region": region } });
      if (init.method === "POST") return new Response("<UploadId>1</UploadId>");
      return new Response("", { headers: { etag: '"1"' } });
    };
    const options = { ...quick, fetch: answer as typeof globalThis.fetch };
    await openObjectStore("s3://bucket", { ...options, partBytes: 4 }).put?.("x", Buffer.alloc(6));
    expect(asked).toEqual([
      "POST bucket.s3.us-east-1.amazonaws.com?uploads",
      "POST bucket.s3.eu-west-3.amazonaws.com?uploads",
      "PUT bucket.s3.eu-west-3.amazonaws.com?partNumber",
      "PUT bucket.s3.eu-west-3.amazonaws.com?partNumber",
      "POST bucket.s3.eu-west-3.amazonaws.com?uploadId",
    ]);
    asked.length = 0;
    regions = ["eu-west-1", "eu-west-2"];
    await expect(openObjectStore("s3://bucket", options).read("x")).rejects.toMatchObject({ status: 301 });
    expect(asked.length).toBeLessThan(4);
    // What would lead to another host is no region.
    asked.length = 0;
    regions = ["example.org/"];
    await expect(openObjectStore("s3://bucket", options).read("x")).rejects.toMatchObject({ status: 301 });
    expect(asked.every((line) => line.includes("us-east-1.amazonaws.com"))).toBe(true);
  });

  it("sends no bearer token to a bucket, and asks Google's for gs", async () => {
    isPublic = true;
    objects.set("a", Buffer.from("open"));
    await openObjectStore("s3://bucket", { ...quick, token: "of another store" }).read("a");
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    const hosts: string[] = [];
    const answer = async (input: string | URL | Request): Promise<Response> => {
      hosts.push(new URL(String(input)).host);
      return new Response("x");
    };
    const fetch = answer as typeof globalThis.fetch;
    await openObjectStore("gs://bucket", { ...quick, fetch, endpoint: undefined }).read("a");
    expect(hosts).toEqual(["storage.googleapis.com"]);
  });

  it("sends large objects in parts", async () => {
    useKeys();
    const store = openObjectStore("s3://bucket", { ...quick, partBytes: 1 << 20 });
    const file = join(folder, "large");
    const large = Buffer.alloc((1 << 20) + 5, 3);
    large.write("end", large.length - 3);
    await writeFile(file, large);
    await store.put?.("large", { file });
    expect(objects.get("part 2 of up/1")).toHaveLength(5);
    expect(objects.get("large")?.equals(large)).toBe(true);
  });

  it("reads public buckets without keys, and with keys that are refused", async () => {
    isPublic = true;
    objects.set("a", Buffer.from("open"));
    expect(Buffer.from(await openObjectStore("s3://bucket", quick).read("a")).toString()).toBe("open");
    expect(server.seen.at(-1)?.headers.authorization).toBeUndefined();
    vi.stubEnv("AWS_ACCESS_KEY_ID", "OLD");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "key");
    expect(Buffer.from(await openObjectStore("s3://bucket", quick).read("a")).toString()).toBe("open");
    await openObjectStore("s3://bucket", { ...quick, anonymous: true }).read("a");
    expect(server.seen).toHaveLength(4);
    isPublic = false;
    await expect(openObjectStore("s3://bucket", quick).read("a")).rejects.toMatchObject({
      status: 403,
      message: expect.stringContaining("InvalidAccessKeyId"),
      hint: expect.stringContaining("AWS_ACCESS_KEY_ID"),
    });
  });

  it("refuses addresses without a bucket and paths that lead out", async () => {
    expect(() => openObjectStore("s3:///x")).toThrow(/not the address of a bucket/);
    expect(() => openObjectStore("s3://bucket/../other")).toThrow(/not a path inside/);
    expect(() => openObjectStore("ftp://host/x")).toThrow(/no store for "ftp:"/);
    await expect(openObjectStore("s3://bucket/a", quick).read("../b")).rejects.toMatchObject({ code: "usage" });
  });
});

describe("keys", () => {
  it("come from the environment, then a profile, then nobody", async () => {
    await writeFile(
      join(folder, "credentials"),
      "[default]\naws_access_key_id = D\naws_secret_access_key=DS\n\n[work]\naws_access_key_id=W\naws_secret_access_key=W=S\naws_session_token=T\n",
    );
    await writeFile(join(folder, "config"), "[profile work]\nregion = eu-north-1\n[profile sso]\nsso_session = x\n");
    expect(await findS3Account()).toMatchObject({ keys: { accessKeyId: "D" } });
    vi.stubEnv("AWS_PROFILE", "work");
    expect(await findS3Account()).toMatchObject({
      keys: { accessKeyId: "W", secretAccessKey: "W=S", sessionToken: "T" },
      region: "eu-north-1",
    });
    useKeys();
    expect(await findS3Account()).toMatchObject({ keys: { accessKeyId: "AKID" } });
    expect(await findS3Account({ profile: "default" })).toMatchObject({ keys: { accessKeyId: "D" } });
    expect((await findS3Account({ anonymous: true })).keys).toBeUndefined();
    await expect(findS3Account({ profile: "wrk" })).rejects.toMatchObject({ hint: 'Did you mean "work"?' });
    await expect(findS3Account({ profile: "sso" })).rejects.toThrow(/has no keys/);
  });
});

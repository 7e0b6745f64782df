import { afterEach, describe, expect, it } from "vitest";
import { InterruptedError, NetworkError } from "../../core/errors.js";
import { fetchJson, fetchWithRetry, isNotFound } from "./http.js";
import { openHttpStore } from "./http-store.js";
import { publicUrl } from "./public-url.js";
import { startServer, type TestServer } from "./server.test-support.js";

const servers: TestServer[] = [];
const serve = async (...args: Parameters<typeof startServer>): Promise<TestServer> => {
  const server = await startServer(...args);
  servers.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const quick = { retryDelayMs: 1, timeoutMs: 2000 };
const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => (i * 7 + (i >> 8)) & 255);

describe("fetchWithRetry", () => {
  it("tries again when the server is busy, and waits as long as it asks", async () => {
    const server = await serve({ "/a": "hello" });
    server.faults.set("/a", { status: 503, times: 2 });
    expect(await (await fetchWithRetry(`${server.url}/a`, quick)).text()).toBe("hello");
    expect(server.seen).toHaveLength(3);

    server.files.set("/b", Buffer.from("b"));
    server.faults.set("/b", { status: 429, times: 1, headers: { "retry-after": "1" } });
    const started = performance.now();
    await fetchWithRetry(`${server.url}/b`, quick);
    expect(performance.now() - started).toBeGreaterThan(990);
  });

  it("does not wait longer than is reasonable", async () => {
    const server = await serve();
    server.faults.set("/a", { status: 429, headers: { "retry-after": "3600" } });
    await expect(fetchWithRetry(`${server.url}/a`, quick)).rejects.toMatchObject({
      code: "network",
      status: 429,
      hint: "the server asks to wait: try again in 3600 s",
    });
    expect(server.seen).toHaveLength(1);
  });

  it("says what was refused, why, and what to do, and asks once", async () => {
    const server = await serve();
    server.faults.set("/a", { status: 401, body: '{"error":"who are\\u001b[2J you"}' });
    const failure = await fetchWithRetry(`${server.url}/a?token=geheim`, {
      ...quick,
      credentialHint: "set HF_TOKEN",
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NetworkError);
    expect(failure).toMatchObject({ status: 401, hint: "set HF_TOKEN", where: `${server.url}/a?token=…` });
    expect((failure as Error).message).toMatch(/answered GET with 401 Unauthorized: who are \[2J you$/);
    await expect(fetchWithRetry(`${server.url}/none`, quick)).rejects.toSatisfy(isNotFound);
    expect(server.seen).toHaveLength(2);
  });

  it("does not wait for the end of a refusal", async () => {
    let gone = (): void => {};
    const closed = new Promise<void>((resolve) => {
      gone = resolve;
    });
    const server = await serve({}, (_, response) => {
      response.on("close", gone).writeHead(400).write("no such day");
      return true;
    });
    await expect(fetchWithRetry(`${server.url}/a`, quick)).rejects.toThrow(/400 Bad Request: no such day/);
    await closed;
  });

  it("repeats a POST only when the server did nothing", async () => {
    const server = await serve({ "/a": "done" });
    server.faults.set("/a", { status: 500, times: 1 });
    await expect(fetchWithRetry(`${server.url}/a`, { ...quick, method: "POST", body: "x" })).rejects.toThrow(/500/);
    server.faults.set("/b", { status: 503, times: 1 });
    server.files.set("/b", Buffer.from("done"));
    await fetchWithRetry(`${server.url}/b`, { ...quick, method: "POST", body: "x" });
  });

  it("follows redirects without taking credentials to another host", async () => {
    const other = await serve({ "/file": "there" });
    const server = await serve({ "/here": "here" });
    server.faults.set("/away", { status: 302, headers: { location: `${other.url}/file?sig=1` } });
    server.faults.set("/near", { status: 307, headers: { location: "/here" } });
    const headers = { authorization: "Bearer geheim", cookie: "a=b", "x-api-key": "k", accept: "*/*" };
    expect(await (await fetchWithRetry(`${server.url}/away`, { ...quick, headers })).text()).toBe("there");
    expect(server.seen[0]?.headers.authorization).toBe("Bearer geheim");
    expect(Object.keys(other.seen[0]?.headers ?? {})).toContain("accept");
    for (const name of ["authorization", "cookie", "x-api-key"]) expect(other.seen[0]?.headers[name]).toBeUndefined();
    await fetchWithRetry(`${server.url}/near`, { ...quick, headers });
    expect(server.seen.at(-1)?.headers.authorization).toBe("Bearer geheim");
    // User and password in the address go to that host only, and into no message.
    const address = new URL(`${server.url}/away`);
    address.username = "me";
    address.password = "pass word";
    await fetchWithRetry(address, quick);
    expect(server.seen.at(-1)?.headers.authorization).toBe(`Basic ${btoa("me:pass word")}`);
    expect(other.seen.at(-1)?.headers.authorization).toBeUndefined();
    expect(publicUrl(address)).toBe(`${server.url}/away`);
  });

  it("ends redirects that go in a circle, or to something else than the web", async () => {
    const server = await serve();
    server.faults.set("/a", { status: 302, headers: { location: "/b" } });
    server.faults.set("/b", { status: 302, headers: { location: "/a" } });
    server.faults.set("/c", { status: 302, headers: { location: "file:///etc/passwd" } });
    server.faults.set("/d", { status: 304 });
    await expect(fetchWithRetry(`${server.url}/a`, quick)).rejects.toThrow(/redirected more than 10 times/);
    await expect(fetchWithRetry(`${server.url}/c`, quick)).rejects.toThrow(/not an http address/);
    expect((await fetchWithRetry(`${server.url}/d`, quick)).status).toBe(304);
  });

  it("ends silence and broken connections in words, and stops when told to", async () => {
    const server = await serve({ "/cut": bytes(1000) });
    server.faults.set("/silent", { silent: true });
    server.faults.set("/cut", { resetAfter: 500 });
    await expect(
      fetchWithRetry(`${server.url}/silent`, { retries: 1, retryDelayMs: 1, timeoutMs: 100 }),
    ).rejects.toThrow(/sent nothing for 0.1 s/);
    const cut = await fetchWithRetry(`${server.url}/cut`, quick);
    await expect(cut.arrayBuffer()).rejects.toMatchObject({ code: "network" });
    const gone = await startServer();
    await gone.close();
    await expect(fetchWithRetry(gone.url, { retries: 1, retryDelayMs: 1 })).rejects.toMatchObject({
      code: "network",
      hint: "nothing listens there: check the address and the port",
    });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 30);
    await expect(fetchWithRetry(`${server.url}/silent`, { ...quick, signal: stop.signal })).rejects.toBeInstanceOf(
      InterruptedError,
    );
  });

  it("refuses a login page in place of JSON", async () => {
    const server = await serve({ "/a": "<html>" });
    await expect(fetchJson(`${server.url}/a`, quick)).rejects.toThrow(/not JSON but begins with "<html>"/);
  });
});

describe("an http store", () => {
  const data = bytes(10_000);

  it.each([
    ["with ranges", {}],
    ["without ranges", { noRanges: true }],
    ["without HEAD", { noHead: true }],
    ["that has signed for GET only", { noHead: 403 }],
  ])("reads the same bytes from a server %s", async (_, fault) => {
    const server = await serve({ "/pkg/a b+c.bin": data });
    server.faults.set("/pkg/a b+c.bin", fault);
    const store = openHttpStore(`${server.url}/pkg/`, quick);
    const read = async (start?: number, end?: number) => [...(await store.read("a b+c.bin", { start, end }))];
    expect(await read()).toEqual([...data]);
    expect(await read(10, 20)).toEqual([...data.subarray(10, 20)]);
    expect(await read(9990)).toEqual([...data.subarray(9990)]);
    expect(await read(-7)).toEqual([...data.subarray(-7)]);
    expect(await read(9990, 20_000)).toEqual([...data.subarray(9990)]);
    expect(await read(5, 5)).toEqual([]);
    const head = await store.head("a b+c.bin");
    expect(head).toMatchObject({ size: data.length, ranges: !("noRanges" in fault) });
    expect(head?.etag).toMatch(/^"/);
    expect(await store.head("none")).toBeUndefined();
    await expect(store.read("none")).rejects.toSatisfy(isNotFound);
  });

  it("streams from the middle of one version, and the whole of another", async () => {
    const server = await serve({ "/f": data });
    const store = openHttpStore(server.url, quick);
    const etag = (await store.head("f"))?.etag;
    const part = await store.stream("f", { start: 9000, etag });
    expect(part).toMatchObject({ offset: 9000, size: 10_000 });
    expect((await new Response(part.body).arrayBuffer()).byteLength).toBe(1000);
    server.files.set("/f", bytes(20));
    const other = await store.stream("f", { start: 9000, etag });
    expect(other).toMatchObject({ offset: 0, size: 20 });
    await other.body.cancel();
  });

  it("reads again when a body breaks off", async () => {
    const server = await serve({ "/f": data });
    server.faults.set("/f", { resetAfter: 5000, times: 2 });
    expect(await openHttpStore(server.url, quick).read("f")).toHaveLength(10_000);
    server.faults.set("/f", { contentLength: 20_000 });
    await expect(openHttpStore(server.url, { ...quick, retries: 0, timeoutMs: 200 }).read("f")).rejects.toMatchObject({
      code: "network",
    });
  });

  it("keeps a signature in the address and refuses paths that lead out", async () => {
    const server = await serve({ "/pkg/f": data });
    const store = openHttpStore(`${server.url}/pkg?sig=abc`, quick);
    await store.read("f");
    expect(server.seen.at(-1)?.path).toBe("/pkg/f?sig=abc");
    expect(store.description).not.toContain("abc");
    for (const path of ["../f", "/etc/passwd", "a/../../f", "a\\b", "%2e%2e/f", "a%2Fb", "a\0b", "C:/f", "a//b"]) {
      await expect(store.read(path), path).rejects.toMatchObject({ code: "usage" });
    }
    expect(server.seen).toHaveLength(1);
  });
});

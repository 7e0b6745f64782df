// Against a service that others wrote: moto's S3 (`pip install 'moto[s3,server]'`), with boto3 on the other side. Skipped where they are missing.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { pythonLacks, runPython } from "../python.test-support.js";
import { isNotFound } from "./http.js";
import { openObjectStore } from "./object-store.js";

const interpreter = process.env.FOEHN_TEST_PYTHON ?? "/usr/bin/python3";
const lacks = pythonLacks("moto.server", "boto3", "flask");
if (lacks) console.info(`S3 beside moto and boto3: skipped, ${lacks}`);

const server = `
import json, sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
# More objects than one page of a list, put where no request is needed for each.
from moto.s3.models import s3_backends
backend = s3_backends["123456789012"]["aws"]
backend.create_bucket("weather", "eu-west-1")
for i in range(1005):
    backend.put_object("weather", f"many/{i:04}", b"x" * (i % 3))
print(json.dumps(server.get_host_and_port()), flush=True)
sys.stdin.read()
server.stop()
`;
const client = `
import boto3, hashlib, json, sys
s3 = boto3.client("s3", endpoint_url=sys.argv[1], aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1")
`;

describe.skipIf(lacks !== undefined)("S3 as moto and boto3 know it", () => {
  let child: ChildProcess;
  let endpoint: string;
  let folder: string;
  const python = (script: string, ...args: string[]): unknown => runPython(`${client}${script}`, endpoint, ...args);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "foehn-moto-"));
    for (const name of ["AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"]) vi.stubEnv(name, undefined);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "a");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "b");
    child = spawn(interpreter, ["-W", "ignore", "-c", server], { stdio: ["pipe", "pipe", "ignore"] });
    const line = await new Promise<string>((resolve) => child.stdout?.once("data", (data) => resolve(String(data))));
    const [host, port] = JSON.parse(line) as [string, number];
    endpoint = `http://${host}:${port}`;
    vi.stubEnv("AWS_ENDPOINT_URL", endpoint);
  }, 60_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    child.stdin?.end(); // ends the server
    await rm(folder, { recursive: true, force: true });
  });

  it("reads, lists over pages and in ranges what boto3 wrote", async () => {
    python(`
s3.put_object(Bucket="weather", Key="a b/ü+&'(1).bin", Body=bytes(range(256)))
print(1)`);
    const store = openObjectStore("s3://weather");
    const many: string[] = [];
    for await (const { path } of store.list?.("many/") ?? []) many.push(path);
    expect(many).toHaveLength(1005);
    expect(many.at(-1)).toBe("many/1004");
    const shallow: string[] = [];
    for await (const { path } of store.list?.("", { shallow: true }) ?? []) shallow.push(path);
    expect(shallow.sort()).toEqual(["a b/", "many/"]);
    const name = "a b/ü+&'(1).bin";
    expect([...(await store.read(name, { start: 250 }))]).toEqual([250, 251, 252, 253, 254, 255]);
    expect([...(await store.read(name, { start: -2 }))]).toEqual([254, 255]);
    expect(await store.head(name)).toMatchObject({ size: 256, ranges: true });
    await expect(store.read("none")).rejects.toSatisfy(isNotFound);
    await expect(openObjectStore("s3://nobody").read("x")).rejects.toThrow(/bucket does not exist/);
  });

  it("writes what boto3 reads, in one piece and in parts", async () => {
    const file = join(folder, "large");
    const data = Buffer.from(Uint8Array.from({ length: (11 << 20) + 3 }, (_, i) => (i * 7) & 255));
    await writeFile(file, data);
    const store = openObjectStore("s3://weather/models", { partBytes: 5 << 20 });
    await store.put?.("large", { file });
    await store.put?.("sub/s m+all", Buffer.from("small"));
    const read = python(`
large = s3.get_object(Bucket="weather", Key="models/large")
print(json.dumps([hashlib.sha256(large["Body"].read()).hexdigest(), large["ETag"],
                  s3.get_object(Bucket="weather", Key="models/sub/s m+all")["Body"].read().decode()]))`);
    expect(read).toEqual([
      createHash("sha256").update(data).digest("hex"),
      expect.stringMatching(/-3"$/), // three parts
      "small",
    ]);
  });
});

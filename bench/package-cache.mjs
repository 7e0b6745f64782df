// The model cache: how long a warm `resolve` takes, and what eight processes do that want the same package at once.
// node bench/package-cache.mjs [--mb n] [--processes n]      (default 1000 MB, 8 processes; needs 3 × that on the disk of the system's
// temporary folder, TMPDIR). Beside it, in the same run, a plain download of the same file to the same disk.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { mb: { type: "string" }, processes: { type: "string" }, child: { type: "string" } },
});
const built = new URL("../packages/foehn/dist/hub/package.js", import.meta.url);

if (values.child) {
  const { uri, folder, sha256 } = JSON.parse(values.child);
  const { Package } = await import(built);
  const start = performance.now();
  const path = await new Package(uri, { cache: { folder }, lock: false }).resolve("weights.bin");
  const seconds = (performance.now() - start) / 1000;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  console.log(JSON.stringify({ seconds, verified: hash.digest("hex") === sha256 }));
  process.exit();
}

const bytes = Number(values.mb ?? 1000) * 1e6;
const processes = Number(values.processes ?? 8);
const root = mkdtempSync(join(tmpdir(), "foehn-bench-cache-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

// Contents that nothing compresses and that no two blocks share.
const file = join(root, "weights.bin");
const whole = createHash("sha256");
const fd = openSync(file, "w");
const block = Buffer.alloc(1 << 20);
let state = 1;
for (let i = 0; i < block.length; i += 4) {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  block.writeInt32LE(state, i);
}
for (let at = 0; at < bytes; at += block.length) {
  block.writeUInt32LE(at / block.length, 0);
  const part = block.subarray(0, Math.min(block.length, bytes - at));
  whole.update(part);
  writeSync(fd, part);
}
closeSync(fd);
const sha256 = whole.digest("hex");
const manifest = Buffer.from(JSON.stringify({ files: { "weights.bin": { sha256, size: bytes } } }));

let sent = 0;
const server = createServer((request, response) => {
  if (request.url === "/m/metadata.json") return response.end(manifest);
  if (request.url !== "/m/weights.bin") return response.writeHead(404).end();
  const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "") ?? [];
  const start = Number(from ?? 0);
  const end = to ? Math.min(bytes - 1, Number(to)) : bytes - 1;
  response.writeHead(from === undefined ? 200 : 206, {
    "content-length": end - start + 1,
    "accept-ranges": "bytes",
    etag: `"${sha256}"`,
    ...(from === undefined ? {} : { "content-range": `bytes ${start}-${end}/${bytes}` }),
  });
  const body = createReadStream(file, { start, end, highWaterMark: 1 << 18 });
  body.on("data", (chunk) => {
    sent += chunk.length;
  });
  pipeline(body, response).catch(() => {});
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const uri = `http://127.0.0.1:${server.address().port}/m`;

const plainStart = performance.now();
await pipeline(Readable.fromWeb((await fetch(`${uri}/weights.bin`)).body), createWriteStream(join(root, "plain")));
const plain = (performance.now() - plainStart) / 1000;
rmSync(join(root, "plain"));
sent = 0;

const folder = join(root, "cache");
const start = performance.now();
const children = Array.from({ length: processes }, () => {
  const child = spawn(process.execPath, [process.argv[1], "--child", JSON.stringify({ uri, folder, sha256 })], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (data) => {
    out += data;
  });
  return new Promise((resolve) =>
    child.on("close", (code) => resolve(code === 0 ? JSON.parse(out) : { verified: false })),
  );
});
const results = await Promise.all(children);
const seconds = (performance.now() - start) / 1000;
const verified = results.filter((result) => result.verified).length;
const slowest = Math.max(...results.map((result) => result.seconds ?? Number.NaN));
console.log(`${processes} processes, one file of ${bytes / 1e6} MB`);
console.log(`${(sent / bytes).toFixed(3)} transfers, ${verified} of ${processes} verified`);
console.log(`${slowest.toFixed(2)} s until the last had it, ${seconds.toFixed(2)} s with start and a check by each`);
console.log(`${plain.toFixed(2)} s for a plain download without any check`);

const { Package } = await import(built);
const times = [];
for (let i = 0; i < 200; i++) {
  const before = performance.now();
  await new Package(uri, { cache: { folder }, lock: false }).resolve("weights.bin");
  times.push(performance.now() - before);
}
times.sort((a, b) => a - b);
console.log(`warm resolve: ${times[100].toFixed(2)} ms (median), ${times[190].toFixed(2)} ms (95 %)`);
server.close();
if (sent !== bytes || verified !== processes || statSync(file).size !== bytes) process.exitCode = 1;
process.exit();

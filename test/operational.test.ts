// The commands of the guide to operational data, run as they are written, against a server on this machine that is laid out as the real
// ones are. And two processes on one cache.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { runHere, runProcess } from "../packages/foehn/src/cli/process.test-support.js";
import { parseTime } from "../packages/foehn/src/core/time.js";
import { startServer, type TestServer } from "../packages/foehn/src/io/remote/server.test-support.js";
import { ecmwfFile, type NcepField, ncepFile } from "../packages/foehn/src/sources/operational.test-support.js";

const guide = readFileSync(fileURLToPath(new URL("../docs/guides/operational-data.md", import.meta.url)), "utf8");
const inspections = [...guide.matchAll(/^npx foehn (dataset inspect (\S+).*)$/gm)].map((match) => match[1]!.split(" "));
const folder = mkdtempSync(join(tmpdir(), "foehn-operational-"));
const hour = 3600;
const fields: readonly NcepField[] = [
  { parameter: "PRMSL", code: [0, 3, 1], level: "mean sea level", base: 101_000 },
  { parameter: "HGT", code: [0, 3, 5], level: "500 mb", base: 5500 },
  { parameter: "TMP", code: [0, 0, 0], level: "2 m above ground", base: 280 },
];
let server: TestServer;
let count = 0;

beforeAll(async () => {
  server = await startServer();
  for (let step = 0; step <= 48; step += 6) {
    const run = parseTime("2024-01-01");
    const path = `/gfs.20240101/00/atmos/gfs.t00z.pgrb2.0p25.f${String(step).padStart(3, "0")}`;
    const { grib, idx } = ncepFile(fields, run, step * hour);
    server.files.set(path, grib).set(`${path}.idx`, Buffer.from(idx));
  }
  for (const step of [0, 6, 12]) {
    const path = `/20240310/00z/ifs/0p25/oper/20240310000000-${step}h-oper-fc`;
    const { grib, index } = ecmwfFile(
      [
        { param: "2t", levtype: "sfc", base: 280 },
        { param: "gh", levtype: "pl", levelist: 500, base: 5500 },
      ],
      parseTime("2024-03-10"),
      step * hour,
    );
    server.files.set(`${path}.grib2`, grib).set(`${path}.index`, Buffer.from(index));
  }
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.seen.length = 0;
  vi.stubEnv("FOEHN_GFS_URL", server.url);
  vi.stubEnv("FOEHN_ECMWF_URL", server.url);
  vi.stubEnv("FOEHN_DATA_CACHE", join(folder, String(count++)));
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe("docs/guides/operational-data.md", () => {
  it.each(inspections)("foehn %s %s %s", async (...command) => {
    const argv = command.map((word) => word.replace("https://noaa-gfs-bdp-pds.s3.amazonaws.com", server.url));
    const { status, stdout, stderr } = await runHere(...argv.filter((word) => word !== undefined));
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/z500 +m2 s-2/);
    expect(stdout).toMatch(/t2m +K/);
  });

  it("has such commands", () => {
    expect(inspections.length).toBeGreaterThan(3);
  });
});

describe("two processes", () => {
  it("read through one cache at the same time, and a later command finds all of it there", async () => {
    const argv = ["dataset", "inspect", "gfs:date=2024-01-01T00,steps=0/to/48/by/6", "--values", "--quiet"];
    const [first, second] = await Promise.all([runProcess(argv), runProcess(argv)]);
    expect(first.status, first.stderr).toBe(0);
    expect(second).toEqual(first);
    server.seen.length = 0;
    const third = await runHere(...argv);
    expect(third).toEqual(first);
    expect(new Set(server.seen.map((seen) => seen.method))).toEqual(new Set(["HEAD"]));
  });
});

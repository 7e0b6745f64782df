import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { formatError } from "../core/errors.js";
import { silentLogger } from "../core/log.js";
import { parseTime } from "../core/time.js";
import { gribMessage } from "../io/grib/write.test-support.js";
import { startServer, type TestServer } from "../io/remote/server.test-support.js";
import { type CdsOptions, cdsSource, openCds } from "./cds.js";
import { CdsClient, canonicalRequest, cdsAccount } from "./cds-client.js";
import { era5Variables } from "./cds-variables.js";
import { DataCache } from "./data-cache.js";

const hour = 3600;
const folder = mkdtempSync(join(tmpdir(), "foehn-cds-"));
const shape = [5, 9] as const;
const points = shape[0] * shape[1];
const area = "area=1/-1/0/1";

type Inputs = Record<string, string[]>;

/** What the store does, by test. */
interface Behaviour {
  /** States that a job goes through, one at each question. */
  states: string[];
  /** Answers to the request itself, before it is accepted. */
  refusals: { status: number; headers?: Record<string, string>; body: unknown }[];
  /** Fields that the file lacks. */
  lacking: string[];
  checksum?: string;
}

let behaviour: Behaviour;
let server: TestServer;
let requests: { dataset: string; inputs: Inputs; key: string | undefined }[];
let asked: string[];
let count = 0;
let options: CdsOptions & { cache: DataCache };

/** The value of a field: every name and time has its own. */
function baseOf(name: string, time: number): number {
  return ([...name].reduce((sum, letter) => sum * 7 + letter.charCodeAt(0), 0) % 1000) + ((time / hour) % 24) / 100;
}

const byCdsName = new Map<string, string[]>();
for (const [name, { dataset, cdsName }] of era5Variables()) {
  const key = `${dataset} ${cdsName}`;
  byCdsName.set(key, [...(byCdsName.get(key) ?? []), name]);
}

/** A file as the store would make it. */
function fileOf(dataset: string, inputs: Inputs): Buffer {
  const messages: Buffer[] = [];
  const date = [inputs.year![0], inputs.month![0], inputs.day![0]].join("-");
  for (const cdsName of inputs.variable!) {
    for (const name of byCdsName.get(`${dataset} ${cdsName}`)!) {
      const { definition } = era5Variables().get(name)!;
      if (definition.level !== undefined && !inputs.pressure_level!.includes(String(definition.level))) continue;
      if (behaviour.lacking.includes(name)) continue;
      for (const clock of inputs.time!) {
        const time = parseTime(`${date}T${clock}`);
        const accumulated = definition.timeKind === "accumulated";
        messages.push(
          gribMessage({
            shortName: definition.family ?? "t",
            typeOfLevel: definition.level === undefined ? "surface" : "isobaricInhPa",
            level: definition.level ?? 0,
            time: accumulated ? time - hour : time,
            lat0: 1,
            lon0: -1,
            spacing: 0.25,
            shape,
            values: Float64Array.from({ length: points }, (_, k) => baseOf(name, time) + k),
            keys: [
              ["centre", "ecmf"],
              ...(accumulated ? ([["productDefinitionTemplateNumber", 8]] as const) : []),
              // The short name fixes height and kind of level.
              ...(definition.level === undefined ? ([["shortName", definition.shortName]] as const) : []),
              ...(accumulated ? ([["step", 1]] as const) : []),
            ],
          }),
        );
      }
    }
  }
  return Buffer.concat(messages);
}

async function store(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<boolean> {
  const path = request.url ?? "";
  const json = (status: number, value: unknown, headers: Record<string, string> = {}): true => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
    return true;
  };
  if (!path.startsWith("/api/")) return false;
  asked.push(`${request.method} ${path.replace(/[0-9a-f]{16}/, "ID")}`);
  if (request.headers["private-token"] !== "token") {
    return json(401, { type: "authentication failed", title: "authentication failed", status: 401 });
  }
  const execution = /^\/api\/retrieve\/v1\/processes\/([\w-]+)\/execution$/.exec(path);
  if (execution && request.method === "POST") {
    const refusal = behaviour.refusals.shift();
    if (refusal) return json(refusal.status, refusal.body, refusal.headers);
    const { inputs } = JSON.parse(body.toString()) as { inputs: Inputs };
    const dataset = execution[1]!;
    requests.push({ dataset, inputs, key: request.headers["private-token"] as string });
    const jobID = createHash("sha256")
      .update(JSON.stringify([dataset, inputs]))
      .digest("hex")
      .slice(0, 16);
    server.files.set(`/object/${jobID}.grib`, fileOf(dataset, inputs));
    return json(201, {
      jobID,
      status: "accepted",
      links: [{ rel: "monitor", href: `${server.url}/api/retrieve/v1/jobs/${jobID}` }],
    });
  }
  const job = /^\/api\/retrieve\/v1\/jobs\/([0-9a-f]+)(\/results)?$/.exec(path);
  const file = job && server.files.get(`/object/${job[1]}.grib`);
  if (!job || !file) return json(404, { title: "job not found", status: 404 });
  if (!job[2]) {
    const status = behaviour.states.length > 1 ? behaviour.states.shift()! : behaviour.states[0]!;
    if (status === "429") return json(429, { title: "too many requests" }, { "retry-after": "0" });
    return json(200, { jobID: job[1], status, links: [{ rel: "results", href: `${server.url}${path}/results` }] });
  }
  if (behaviour.states[0] === "failed") {
    return json(400, {
      type: "job results failed",
      title: "The job has failed",
      status: 400,
      traceback: "Traceback…\nMarsNoDataError: no data for the date 2099-01-01",
    });
  }
  const checksum = behaviour.checksum ?? createHash("md5").update(file).digest("hex");
  return json(200, {
    asset: {
      value: {
        type: "application/x-grib",
        href: `${server.url}/object/${job[1]}.grib`,
        "file:size": file.length,
        "file:checksum": checksum,
      },
    },
  });
}

beforeAll(async () => {
  server = await startServer({}, store);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  server.files.clear();
  server.seen.length = 0;
  requests = [];
  asked = [];
  behaviour = { states: ["accepted", "running", "successful"], refusals: [], lacking: [] };
  options = {
    account: { url: `${server.url}/api`, key: "token" },
    logger: silentLogger,
    retries: 1,
    retryDelayMs: 1,
    pollMs: [1, 2],
    cache: new DataCache(join(folder, String(count++))),
  };
});

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );
const open = (rest: string) => openCds(`cds:era5,${area},${rest}`, options);

describe("cds:era5", () => {
  const time = parseTime("2018-01-01T06");

  it("asks once for each data set and day, and for nothing that it has", async () => {
    const source = await open("times=2018-01-01/to/2018-01-02T12/by/6h");
    const wanted = ["t2m", "z500", "q850", "u100m", "tcwv"];
    const read = await source.read({ time, variables: wanted });
    for (const [i, name] of wanted.entries()) {
      expect(read[i]!.variable).toBe(name);
      for (const k of [0, 7, points - 1]) expect(read[i]!.values[k]).toBeCloseTo(baseOf(name, time) + k, 3);
    }
    expect(requests.map((r) => r.dataset).sort()).toEqual([
      "reanalysis-era5-pressure-levels",
      "reanalysis-era5-single-levels",
    ]);
    expect(requests.find((r) => /single/.test(r.dataset))!.inputs).toEqual({
      product_type: ["reanalysis"],
      variable: ["100m_u_component_of_wind", "2m_temperature", "total_column_water_vapour"],
      year: ["2018"],
      month: ["01"],
      day: ["01"],
      time: ["00:00", "06:00", "12:00", "18:00"],
      data_format: "grib",
      download_format: "unarchived",
      area: [1, -1, 0, 1],
    });
    expect(requests.find((r) => /pressure/.test(r.dataset))!.inputs).toMatchObject({
      variable: ["geopotential", "specific_humidity"],
      pressure_level: ["500", "850"],
    });
    // Another time of the day, another order, another process: all there already.
    const again = await open("times=2018-01-01/to/2018-01-02T12/by/6h");
    await again.read({ time: time + 6 * hour, variables: [...wanted].reverse() });
    expect(requests).toHaveLength(2);
    await again.read({ time: parseTime("2018-01-02"), variables: ["t2m"] });
    expect(requests).toHaveLength(3);
    expect(requests[2]!.inputs.time).toEqual(["00:00", "06:00", "12:00"]);
    expect(requests.every((r) => r.key === "token")).toBe(true);
    // The token is for the store, not for the place of the files.
    const files = server.seen.filter((s) => s.path.startsWith("/object/"));
    expect(files.length).toBeGreaterThan(0);
    expect(files.every((s) => s.headers["private-token"] === undefined)).toBe(true);
  });

  it("waits through every state of a job, and through refusals that pass", async () => {
    behaviour.refusals = [{ status: 429, headers: { "retry-after": "0" }, body: { title: "slow down" } }];
    behaviour.states = ["accepted", "429", "accepted", "running", "running", "successful"];
    const source = await open("times=2018-01-01T06");
    await source.read({ time, variables: ["t2m"] });
    expect(asked.filter((line) => line.startsWith("POST"))).toHaveLength(2);
    expect(asked.filter((line) => line === "GET /api/retrieve/v1/jobs/ID")).toHaveLength(6);
    expect(requests).toHaveLength(1);
  });

  it("lets two readers of the same wait for one job", async () => {
    const source = await open("times=2018-01-01T06");
    const read = () => source.read({ time, variables: ["t2m"] });
    const [a, b] = await Promise.all([read(), read()]);
    expect(requests).toHaveLength(1);
    expect(a).toEqual(b);
    expect(a![0]!.values).not.toBe(b![0]!.values);
  });

  it("goes on with the job of a process that ended", async () => {
    const controller = new AbortController();
    behaviour.states = ["accepted"];
    const first = await openCds(`cds:era5,${area},times=2018-01-01T06`, { ...options, signal: controller.signal });
    const waiting = failure(first.read({ time, variables: ["t2m"] }));
    while (asked.length < 4) await new Promise((resolve) => setTimeout(resolve, 2));
    controller.abort();
    expect(await waiting).toMatch(/interrupted/);
    behaviour.states = ["running", "successful"];
    const second = await open("times=2018-01-01T06");
    await second.read({ time, variables: ["t2m"] });
    expect(requests).toHaveLength(1);
    // A job that the store has forgotten is asked for anew.
    behaviour.states = ["failed"];
    const third = await open("times=2018-01-02T06");
    expect(await failure(third.read({ time: time + 24 * hour, variables: ["t2m"] }))).toMatch(/job is failed/);
    behaviour.states = ["successful"];
    server.files.clear();
    await third.read({ time: time + 24 * hour, variables: ["t2m"] });
    expect(requests).toHaveLength(3);
  });

  it("adds up six hours of rain across midnight", async () => {
    const midnight = parseTime("2018-01-02T02");
    const source = await open("times=2018-01-02T02");
    const [rain] = await source.read({ time: midnight, variables: ["tp06"] });
    const expected = [0, 1, 2, 3, 4, 5].reduce((sum, i) => sum + baseOf("tp", midnight - i * hour), 0);
    expect(rain!.values[0]).toBeCloseTo(expected, 2);
    expect(requests.map((r) => `${r.inputs.day} ${r.inputs.time}`).sort()).toEqual([
      "01 21:00,22:00,23:00",
      "02 00:00,01:00,02:00",
    ]);
  });

  it("names every field that the answer lacks", async () => {
    behaviour.lacking = ["t2m", "u100m"];
    const source = await open("times=2018-01-01T06");
    expect(await failure(source.read({ time, variables: ["t2m", "u100m", "msl"] }))).toMatch(
      /lacks t2m, u100m at 2018-01-01 06:00/,
    );
  });

  it("says where to accept a licence, and what is wrong with a key", async () => {
    behaviour.refusals = [
      {
        status: 403,
        body: {
          type: "permission denied",
          title: "required licences not accepted",
          detail: "please visit …",
          status: 403,
        },
      },
    ];
    const source = await open("times=2018-01-01T06");
    expect(await failure(source.read({ time, variables: ["t2m"] }))).toMatch(
      /403[\s\S]*licence, once, while logged in: http:[^ ]*\/datasets\/reanalysis-era5-single-levels\?tab=download#manage-licences/,
    );
    const other = await openCds(`cds:era5,${area},times=2018-01-01T06`, {
      ...options,
      account: { url: `${server.url}/api`, key: "wrong" },
    });
    expect(await failure(other.read({ time, variables: ["t2m"] }))).toMatch(/401[\s\S]*CDSAPI_KEY/);
  });

  it.each([
    ["failed", /job is failed: MarsNoDataError: no data for the date 2099-01-01/],
    ["rejected", /job is rejected/],
    ["dismissed", /job is dismissed/],
  ])("tells why a job is %s", async (state, message) => {
    behaviour.states = ["accepted", state];
    const source = await open("times=2018-01-01T06");
    expect(await failure(source.read({ time, variables: ["t2m"] }))).toMatch(message);
  });

  it("keeps no file that is not what the store announced", async () => {
    behaviour.checksum = "0".repeat(32);
    const source = await open("times=2018-01-01T06");
    expect(await failure(source.read({ time, variables: ["t2m"] }))).toMatch(
      /has the checksum [0-9a-f]{32}, not 0{32}/,
    );
    delete behaviour.checksum;
    await source.read({ time, variables: ["t2m"] });
  });

  it("sends nothing without a network", async () => {
    const source = await open("times=2018-01-01T06");
    await source.read({ time, variables: ["t2m"] });
    asked = [];
    const offline = await openCds(`cds:era5,${area},times=2018-01-01T06`, { ...options, offline: true });
    await offline.read({ time, variables: ["t2m"] });
    expect(await failure(offline.read({ time, variables: ["msl"] }))).toMatch(/not in the data cache/);
    expect(asked).toEqual([]);
  });

  it("turns a globe that begins at another meridian", async () => {
    const globe = [721, 1440] as const;
    const name = "t2m";
    const at = parseTime("2018-01-01");
    const request = {
      product_type: ["reanalysis"],
      variable: ["2m_temperature"],
      year: ["2018"],
      month: ["01"],
      day: ["01"],
      time: ["00:00"],
      data_format: "grib",
      download_format: "unarchived",
    };
    const key = `cds ${canonicalRequest("reanalysis-era5-single-levels", request)}`;
    const bytes = gribMessage({
      ...{
        shortName: "2t",
        typeOfLevel: "surface",
        level: 0,
        time: at,
        lat0: 90,
        lon0: -180,
        spacing: 0.25,
        shape: globe,
      },
      values: Float64Array.from({ length: globe[0] * globe[1] }, (_, k) => k % globe[1]),
      keys: [["shortName", "2t"]],
    });
    await options.cache.file(key, "reanalysis-era5-single-levels.grib", async (path) => writeFileSync(path, bytes));
    const source = cdsSource({ ...options, times: [at] });
    expect(source.grid.longitudes[0]).toBe(0);
    const [field] = await source.read({ time: at, variables: [name] });
    // Column 0 of the source is 0° E, which was column 720 of the file.
    expect([0, 719, 720, 1439].map((i) => Math.round(field!.values[i]!))).toEqual([720, 1439, 0, 719]);
  });

  it("has every hour since 1940 where no times are named, and asks for one alone", async () => {
    const source = await openCds(`cds:era5,${area}`, options);
    expect(source.times[0]).toBe(parseTime("1940-01-01"));
    expect(source.times.length).toBeGreaterThan(86 * 365 * 24);
    await source.read({ time, variables: ["msl"] });
    expect(requests[0]!.inputs.time).toEqual(["06:00"]);
  });

  it.each([
    ["cds:era6", /no client for "era6"/],
    ["cds:era5,time=2018", /no setting "time"[\s\S]*Did you mean "times"/],
    ["cds:era5,times=2018-01-01T00:30", /no field at 2018-01-01T00:30:00Z/],
    ["cds:era5,area=0/0/1/1", /area 0\/0\/1\/1 is not one of ERA5's grid/],
    ["cds:era5,area=1/0/0", /not four numbers/],
  ])("explains %s", async (spec, message) => {
    expect(await failure(openCds(spec, options))).toMatch(message);
  });
});

describe("the account", () => {
  it("comes from the environment or the file", async () => {
    const rc = join(folder, "cdsapirc");
    writeFileSync(rc, "url: https://store.example/api\nkey: from-file\nverify: 0\n");
    expect(await cdsAccount({ CDSAPI_RC: rc })).toEqual({ url: "https://store.example/api", key: "from-file" });
    expect(await cdsAccount({ CDSAPI_RC: rc, CDSAPI_KEY: "k", CDSAPI_URL: "https://other.example/api/" })).toEqual({
      url: "https://other.example/api",
      key: "k",
    });
    expect(await failure(cdsAccount({ HOME: folder }))).toMatch(/no key[\s\S]*CDSAPI_KEY/);
    expect(await failure(cdsAccount({ CDSAPI_KEY: "1234:old-key", HOME: folder }))).toMatch(/closed in 2024/);
  });

  it("is not shown to another host", async () => {
    const elsewhere = await startServer({}, (request, response) => {
      if (request.method !== "POST") return false;
      response.writeHead(201, { "content-type": "application/json" });
      response.end(
        JSON.stringify({ status: "accepted", links: [{ rel: "monitor", href: `${server.url}/api/steal` }] }),
      );
      return true;
    });
    const client = new CdsClient({ ...options, account: { url: `${elsewhere.url}/api`, key: "secret" } });
    expect(await failure(client.retrieve("x", {}, options.cache, "x.grib"))).toMatch(/another host/);
    expect(asked).toEqual([]);
    await elsewhere.close();
  });

  it("brings no file of this machine, whatever the store says", async () => {
    const secret = join(folder, "secret");
    writeFileSync(secret, "mine");
    const liar = await startServer({}, (request, response) => {
      const answer = request.url!.endsWith("/results")
        ? { asset: { value: { href: `file://${secret}` } } }
        : { jobID: "1", status: "successful" };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
      return true;
    });
    const client = new CdsClient({ ...options, account: { url: `${liar.url}/api`, key: "secret" } });
    expect(await failure(client.retrieve("x", {}, options.cache, "x.grib"))).toMatch(/address that is not http/);
    await liar.close();
  });
});

describe("canonical requests", () => {
  it("are the same for the same request", () => {
    const a = canonicalRequest("d", { variable: ["a", "b"], time: ["00:00"], area: ["1", "2", "3", "4"] });
    expect(canonicalRequest("d", { time: ["00:00"], area: ["1", "2", "3", "4"], variable: ["b", "a"] })).toBe(a);
    expect(canonicalRequest("d", { time: ["00:00"], area: ["4", "2", "3", "1"], variable: ["b", "a"] })).not.toBe(a);
  });
});

// Event files: byte for byte what TensorBoard's own writer makes (golden file), and readable by TensorBoard where it is installed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { TrainingStart } from "../training/callbacks.js";
import { crc32c, maskedCrc32c } from "./crc32c.js";
import { EventWriter } from "./event-writer.js";
import { flattenHparams } from "./hparams.js";
import { tensorboardCallback } from "./tensorboard-callback.js";

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "foehn-events-"));
  folders.push(made);
  return made;
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

interface Scalar {
  readonly tag: string;
  readonly value: number;
  readonly step: number;
}

/** Splits a file into records and checks both sums of each. */
function records(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset);
  const found: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    expect(view.getUint32(at + 8, true)).toBe(maskedCrc32c(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(maskedCrc32c(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

/** The scalars of a file, by a reader that shares no code with the writer but the wire format. */
function scalars(path: string): Scalar[] {
  const found: Scalar[] = [];
  for (const record of records(readFileSync(path))) {
    const event = fields(record);
    const summary = event.get(5)?.[0];
    if (!(summary instanceof Uint8Array)) continue;
    const value = fields(fields(summary).get(1)?.[0] as Uint8Array);
    const simple = value.get(2)?.[0];
    if (typeof simple !== "number") continue;
    found.push({
      tag: new TextDecoder().decode(value.get(1)?.[0] as Uint8Array),
      value: simple,
      step: Number(event.get(2)?.[0] ?? 0),
    });
  }
  return found;
}

function fields(data: Uint8Array): Map<number, (Uint8Array | number | bigint | string)[]> {
  const reader = new BinaryReader(data);
  const found = new Map<number, (Uint8Array | number | bigint | string)[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value =
      type === WireType.Varint
        ? reader.int64()
        : type === WireType.Bit64
          ? reader.double()
          : type === WireType.Bit32
            ? reader.float()
            : reader.bytes();
    found.set(number, [...(found.get(number) ?? []), value]);
  }
  return found;
}

describe("crc32c", () => {
  it("has the check values of RFC 3720", () => {
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });
});

describe("EventWriter", () => {
  it("writes the bytes that TensorBoard's own writer writes", () => {
    const time = 1551398400.25;
    const writer = new EventWriter(folder(), { now: () => time });
    const png = Buffer.from("89504e470d0a1a0a0000000d4948445200000003000000020802000000", "hex");
    writer.addScalar("loss/train_step", 0.125, 1);
    writer.addScalar("größe", Number.NaN, 3_000_000_000);
    writer.addImage("map", png, 2);
    writer.addText("note", "**bold**");
    writer.addHparams({ lr: 0.001 }, ["loss/validation"], "run");
    writer.restartAt(4);
    writer.endSession("success");
    writer.close();
    const golden = readFileSync(fileURLToPath(new URL("../../../../test/golden/tracking/events.bin", import.meta.url)));
    expect(readFileSync(writer.path).toString("hex")).toBe(golden.toString("hex"));
  });

  it("names files so that they sort by time and never collide", () => {
    const dir = folder();
    const options = { now: () => 1551398400, host: "node1" };
    for (let i = 0; i < 3; i++) new EventWriter(dir, options).close();
    const names = readdirSync(dir);
    expect(new Set(names).size).toBe(3);
    for (const name of names)
      expect(name).toMatch(new RegExp(`^events\\.out\\.tfevents\\.1551398400\\.node1\\.${process.pid}\\.\\d+$`));
  });

  it("returns any tag, step and float32 value unchanged", () => {
    const dir = folder();
    const step = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    const scalar = fc.record({ tag: fc.string({ unit: "grapheme" }), value: fc.float(), step });
    fc.assert(
      fc.property(fc.array(scalar, { maxLength: 20 }), (all) => {
        const writer = new EventWriter(dir);
        for (const { tag, value, step } of all) writer.addScalar(tag, value, step);
        writer.close();
        const back = scalars(writer.path);
        expect(back.map((s) => s.tag)).toEqual(all.map((s) => s.tag));
        expect(back.map((s) => s.step)).toEqual(all.map((s) => s.step));
        back.forEach((s, i) => {
          expect(Object.is(s.value, all[i]!.value)).toBe(true);
        });
      }),
      { numRuns: 50 },
    );
  });

  it("hands events to the system when the clock or the buffer says so, and on flush", () => {
    let time = 1000;
    const writer = new EventWriter(folder(), { now: () => time, flushSeconds: 10 });
    writer.addScalar("a", 1, 1);
    expect(scalars(writer.path)).toHaveLength(0);
    time += 11;
    writer.addScalar("a", 2, 2);
    expect(scalars(writer.path)).toHaveLength(2);
    writer.addScalar("a", 3, 3);
    writer.flush();
    expect(scalars(writer.path)).toHaveLength(3);
    writer.addText("long", "x".repeat(1 << 21));
    writer.addScalar("a", 4, 4);
    expect(readFileSync(writer.path).length).toBeGreaterThan(1 << 21);
    writer.close();
    writer.close();
    expect(scalars(writer.path)).toHaveLength(4);
    expect(() => writer.addScalar("a", 5, 5)).toThrow(/closed/);
  });

  it("refuses a picture that is not a PNG and a folder it cannot make", () => {
    const dir = folder();
    using writer = new EventWriter(dir);
    expect(() => writer.addImage("x", new Uint8Array(100), 0)).toThrow(/not a PNG/);
    expect(() => new EventWriter(join(writer.path, "below"))).toThrow(
      expect.objectContaining({ name: "StorageError" }),
    );
  });
});

describe("flattenHparams", () => {
  it("keeps scalars, names nested keys by path and writes lists as text", () => {
    const settings = { lr: 0.1, model: { depth: 4, norm: "batch" }, betas: [0.9, 0.95], none: null, on: true };
    expect(flattenHparams(settings)).toEqual({
      lr: 0.1,
      "model/depth": 4,
      "model/norm": "batch",
      betas: "[0.9,0.95]",
      on: true,
    });
  });
});

describe("tensorboardCallback", () => {
  it("writes what training reports", async () => {
    const dir = folder();
    await follow(dir, false);
    const [file] = readdirSync(join(dir, "tensorboard"));
    const found = scalars(join(dir, "tensorboard", file!));
    expect(found).toContainEqual({ tag: "loss/train_step", value: 0.5, step: 1 });
    expect(found).toContainEqual({ tag: "rmse_t2m/+006h", value: 2, step: 1 });
    expect(found).toContainEqual({ tag: "rmse_t2m/+012h", value: 3, step: 1 });
    expect(found).toContainEqual({ tag: "loss/validation", value: 0.25, step: 1 });
  });
});

async function follow(dir: string, isResumed: boolean): Promise<void> {
  const callback = tensorboardCallback();
  const feature = { name: "t2m", units: "K", longName: "2 m temperature", role: "prognostic", weight: 1 };
  // Only what the callback reads of a dataset: the trainer's tests run it with real ones.
  const info = { name: "toy", stepSeconds: 21_600, features: [feature] };
  await callback.onStart?.({
    runDir: dir,
    options: { lr: 0.001, epochs: 2 },
    info,
    isResumed,
    step: 0,
  } as unknown as TrainingStart);
  await callback.onStep?.({ kind: "step", step: 1, epoch: 1, train_loss: 0.5, lr: 0.001, seconds: 0.1 });
  const validation = { val_loss: 0.25, val_loss_by_lead: [0.2, 0.3], val_rmse: { t2m: [2, 3] } };
  await callback.onEpoch?.({ kind: "epoch", step: 1, epoch: 1, train_loss: 0.5, ...validation, seconds: 1 });
  await callback.onEnd?.({ runDir: dir, reason: "completed" });
}

/** A Python that can import tensorboard, or undefined. */
function pythonWithTensorboard(): string | undefined {
  const candidates = [process.env.FOEHN_TENSORBOARD_PYTHON, "/usr/bin/python3", "python3"];
  return candidates.find((python) => {
    if (!python) return false;
    try {
      execFileSync(python, ["-c", "import tensorboard.backend.event_processing.event_accumulator"], {
        stdio: "ignore",
      });
      return true;
    } catch {
      return false;
    }
  });
}

const python = pythonWithTensorboard();
if (!python)
  console.log("skipped: TensorBoard reads our files (no Python with `tensorboard`; set FOEHN_TENSORBOARD_PYTHON)");

describe.skipIf(!python)("TensorBoard", () => {
  it("reads scalars, text, images and hyper-parameters, and hides what a resumed run replaced", async () => {
    const dir = folder();
    const old = new EventWriter(join(dir, "tensorboard"), { now: () => 1000 });
    old.addScalar("loss/train_step", 9, 1);
    old.close();
    await follow(dir, true);
    const writer = new EventWriter(join(dir, "tensorboard"), { now: () => 4_000_000_000 });
    writer.addImage("map", Buffer.from("89504e470d0a1a0a0000000d4948445200000003000000020802000000", "hex"), 7);
    writer.close();
    const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
acc = EventAccumulator(sys.argv[1]); acc.Reload()
meta = {t: acc.SummaryMetadata(t).plugin_data.content for t in acc.PluginTagToContent("hparams")}
start = plugin_data_pb2.HParamsPluginData.FromString(meta["_hparams_/session_start_info"]).session_start_info
end = plugin_data_pb2.HParamsPluginData.FromString(meta["_hparams_/session_end_info"]).session_end_info
print(json.dumps({
  "losses": [[e.step, e.value] for e in acc.Scalars("loss/train_step")],
  "tags": sorted(acc.Tags()["scalars"]),
  "text": acc.Tensors("dataset")[0].tensor_proto.string_val[0].decode(),
  "image": [acc.Images("map")[0].width, acc.Images("map")[0].height, acc.Images("map")[0].step],
  "hparams": {k: v.number_value for k, v in start.hparams.items()},
  "status": end.status,
}))`;
    const read = JSON.parse(
      execFileSync(python!, ["-c", script, join(dir, "tensorboard")], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      }),
    );
    expect(read.losses).toEqual([[1, 0.5]]);
    expect(read.tags).toContain("rmse_t2m/+006h");
    expect(read.text).toContain("**toy**, every 6 h");
    expect(read.image).toEqual([3, 2, 7]);
    expect(read.hparams).toEqual({ lr: 0.001, epochs: 2 });
    expect(read.status).toBe(1);
  });
});

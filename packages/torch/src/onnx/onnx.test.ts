// Every translation against ONNX Runtime, on fresh inputs of batch sizes 1 and 3.
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";
import { cases, conv, type Forward, image } from "../trace/forwards.test.fixture.js";

const { nn } = torch;
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foehn-onnx-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(forward: Forward, shape: readonly number[], options: torch.onnx.ExportOnnxOptions = {}) {
  torch.manualSeed(3);
  if (forward instanceof nn.Module) {
    forward.eval();
    // Running statistics other than 0 and 1, so that a swap of the two would show.
    for (const [name, buffer] of forward.namedBuffers())
      if (name.includes("running_")) torch.noGrad(() => buffer.copy_(torch.rand(buffer.shape).add(0.5)));
  }
  const made = await torch.onnx.exportOnnx(forward, torch.randn([2, ...shape]), join(folder, "model.onnx"), {
    tolerance: 1e-5,
    ...options,
  });
  expect(made.batchSizes).toEqual([1, 3]);
  return made;
}

describe("ONNX translations", () => {
  it.each(Object.keys(cases))("%s", async (name) => {
    const [forward, shape] = cases[name]!;
    await check(forward, shape);
  });

  it("writes the newest operator set too", async () => {
    await check(new nn.Sequential(conv(4, 4, 3), new nn.GroupNorm(2, 4), new nn.AdaptiveAvgPool2d(1)), image, {
      opset: 21,
    });
    await check((x) => nn.functional.pad(x, [1, 1, 1, 1], { mode: "circular" }).amax({ dim: [1] }), image, {
      opset: 19,
    });
  });
});

describe("exportOnnx", () => {
  it("names what it cannot translate, and where", async () => {
    class Odd extends nn.Module {
      override forward(x: Tensor): Tensor {
        return (torch.aten("cummax", x, 1) as Tensor[])[0]!;
      }
    }
    const model = new nn.Sequential({ odd: new Odd() }).eval();
    const path = join(folder, "odd.onnx");
    const failed = torch.onnx.exportOnnx(model, torch.randn([2, 3]), path);
    await expect(failed).rejects.toThrow(/no ONNX translation for aten::cummax in odd\. .* `translations`/);
    expect(existsSync(path)).toBe(false);
    const translations = {
      "aten::cummax": (b: torch.onnx.OnnxBuilder, node: { arg(name: string): unknown }) =>
        b.name(node.arg("self") as never),
    };
    await expect(torch.onnx.exportOnnx(model, torch.randn([2, 3]), path, { translations })).rejects.toMatchObject({
      code: "ERR_TORCH_ONNX_DIFFERS",
    });
    expect(readdirSync(folder).filter((name) => name.includes("odd"))).toEqual([]);
  });

  it("tells where an argument has no ONNX form", async () => {
    await expect(check((x) => torch.roll(x, [1]), [4])).rejects.toThrow(/aten::roll rolls the flattened tensor/);
    await expect(check((x) => x, [4], { opset: 9 })).rejects.toThrow(/opset 9 .* 17 to 21/);
  });

  it("keeps names, open sizes and texts", async () => {
    using graph = torch.trace(new nn.Sequential({ fc: new nn.Linear(3, 2) }).eval(), torch.randn([2, 3]));
    const text = Buffer.from(torch.onnx.toOnnx(graph, { metadata: { channels: '["t2m"]' }, name: "net" })).toString(
      "latin1",
    );
    for (const part of ["fc.weight", "fc/Gemm", "batch", "channels", '["t2m"]', "input", "output"])
      expect(text).toContain(part);
  });
});

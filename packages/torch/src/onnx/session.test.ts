import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as torch from "../index.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-session-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** y = a + 2·b, written node by node. */
function addTwice(): string {
  const float = torch.onnx.elementTypes.float32!;
  const two = new Uint8Array(Float32Array.of(2).buffer);
  const dims = ["batch", 3];
  const path = join(folder, "add.onnx");
  writeFileSync(
    path,
    torch.onnx.encodeModel({
      irVersion: 8,
      opset: 17,
      producer: { name: "test", version: "0" },
      graphName: "add",
      description: "",
      metadata: {},
      nodes: [
        { name: "mul", type: "Mul", inputs: ["b", "two"], outputs: ["c"], attributes: {} },
        { name: "add", type: "Add", inputs: ["a", "c"], outputs: ["y"], attributes: {} },
      ],
      initializers: [{ name: "two", elementType: float, dims: [], bytes: two }],
      inputs: ["a", "b"].map((name) => ({ name, elementType: float, dims })),
      outputs: [{ name: "y", elementType: float, dims }],
    }),
  );
  return path;
}

describe("openOnnx", () => {
  it("runs a model on tensors, also on views of them", async () => {
    using session = await torch.onnx.openOnnx(addTwice(), { threads: 1 });
    expect(session.inputs).toEqual(["a", "b"].map((name) => ({ name, dtype: "float32", shape: ["batch", 3] })));
    expect(session.outputs.map((port) => port.name)).toEqual(["y"]);
    const a = torch.tensor([[1, 2, 3]]);
    const b = torch.tensor([[1], [2], [3]]).t();
    const { y } = await session.run({ a, b });
    expect(y!.toArray()).toEqual([[3, 6, 9]]);
    expect(a.toArray()).toEqual([[1, 2, 3]]);
  });

  it("says what is wrong", async () => {
    const session = await torch.onnx.openOnnx(addTwice());
    await expect(session.run({ a: torch.zeros([1, 3]) })).rejects.toThrow(/also takes the input b/);
    const wrong = torch.zeros([1, 4]);
    await expect(session.run({ a: wrong, b: wrong })).rejects.toMatchObject({ code: "ERR_TORCH_ONNX" });
    session.dispose();
    await expect(session.run({ a: wrong, b: wrong })).rejects.toThrow(/is closed/);
    const none = join(folder, "none.onnx");
    writeFileSync(none, "no model");
    await expect(torch.onnx.openOnnx(none)).rejects.toThrow(/refuses the model/);
  });

  it("frees what it made", async () => {
    using session = await torch.onnx.openOnnx(addTwice());
    const x = torch.ones([2, 3]);
    const before = torch.memoryStats().liveTensors;
    for (let i = 0; i < 5; i++) (await session.run({ a: x, b: x })).y!.dispose();
    expect(torch.memoryStats().liveTensors).toBe(before);
  });
});

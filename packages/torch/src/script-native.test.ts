import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as torch from "./index.js";
import { NativeScript } from "./script-native.js";

const file = fileURLToPath(new URL("../../../test/golden/torch-engine/net.ts.pt", import.meta.url));
const input = (): torch.Tensor =>
  torch.tensor([
    [1, 2],
    [3, 4],
  ]);

describe("TorchScript", () => {
  const net = NativeScript.load(file, "cpu");
  it("runs here and off the main thread", async () => {
    const expected = [[12.5], [14.5]];
    expect((net.run("forward", [input()]) as torch.Tensor).toArray()).toEqual(expected);
    const pending = Array.from({ length: 4 }, () => net.runAsync("forward", [input()]));
    for (const result of await Promise.all(pending)) expect((result as torch.Tensor).toArray()).toEqual(expected);
  });
  it("takes and gives plain values, lists, tuples and dicts", () => {
    const result = net.run("split", [input(), 3, ["a", "b"]]) as [
      Map<string, torch.Tensor>,
      [number, number[], string, torch.Tensor],
    ];
    const [dict, [rows, list, name, positive]] = result;
    expect([...dict.keys()]).toEqual(["a", "b"]);
    expect(dict.get("a")?.toArray()).toEqual([
      [3, 6],
      [9, 12],
    ]);
    expect(dict.get("b")?.toArray()).toEqual([1, 2]);
    expect([rows, list, name, positive.item()]).toEqual([2, [3, 2.5], "a", 1]);
  });
  it("keeps the caller's modes in the other thread", async () => {
    const scaled = async (): Promise<boolean> => {
      const x = torch.ones([2, 2], { requiresGrad: true });
      const [dict] = (await net.runAsync("split", [x, 3, ["a", "b"]])) as [Map<string, torch.Tensor>];
      return dict.get("a")?.requiresGrad ?? false;
    };
    expect(await scaled()).toBe(true);
    expect(await torch.noGrad(() => ({ run: scaled() })).run).toBe(false);
  });
  it("gives access to parameters, buffers and methods", () => {
    expect([...net.parameters().keys()]).toEqual(["linear.weight", "linear.bias"]);
    expect([...net.buffers().keys()]).toEqual(["offset"]);
    expect(
      net
        .methods()
        .map((m) => m.name)
        .sort(),
    ).toEqual(["fails", "forward", "split"]);
    net.parameters().get("linear.bias")?.requiresGrad_(false).fill_(0);
    expect((net.run("forward", [input()]) as torch.Tensor).toArray()).toEqual([[11.5], [13.5]]);
  });
  it("reports errors as TorchError: wrong arguments, failing code, no such method, no such file", async () => {
    expect(() => net.run("forward", [1])).toThrow(torch.TorchError);
    expect(() => net.run("forward", [])).toThrow(torch.TorchError);
    expect(() => net.run("forward", [input(), input()])).toThrow(/too many arguments/);
    expect(() => net.run("fails", [input()])).toThrow(torch.TorchError);
    await expect(net.runAsync("fails", [input()])).rejects.toThrow(torch.TorchError);
    expect(() => net.run("nothing", [])).toThrow(/nothing/);
    expect(() => net.run("forward", [() => 1])).toThrow(/function cannot be given/);
    expect(() => NativeScript.load("/nowhere.pt", null)).toThrow(torch.TorchError);
  });
  it("cannot be used after dispose", () => {
    const other = NativeScript.load(file, null);
    other.to("cpu", "float64");
    other.train(false);
    expect((other.run("forward", [input().double()]) as torch.Tensor).dtype).toBe("float64");
    other.dispose();
    expect(() => other.run("forward", [input()])).toThrow(/disposed/);
  });
});

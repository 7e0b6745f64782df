// Every forward of the fixture, written as TorchScript and loaded again; and one loaded by Python, where it has torch.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";
import { cases } from "./forwards.test.fixture.js";
import { torchScriptSource } from "./torchscript.js";

const { nn } = torch;
const folder = mkdtempSync(join(tmpdir(), "foehn-script-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (forward: (typeof cases)[string][0], x: Tensor): Tensor[] => {
  const result = forward instanceof nn.Module ? (forward as torch.nn.UnaryModule).forward(x) : forward(x);
  return Array.isArray(result) ? result : [result];
};

describe("torch.jit.save", () => {
  it.each(Object.keys(cases))("%s", (name) => {
    const [forward, shape] = cases[name]!;
    torch.manualSeed(9);
    if (forward instanceof nn.Module) forward.eval();
    const path = join(folder, "forward.pt");
    using graph = torch.trace(forward, torch.randn([2, ...shape]));
    torch.jit.save(graph, path);
    const script = torch.jit.load(path);
    for (const batch of [1, 3]) {
      const x = torch.randn([batch, ...shape]);
      const result = torch.noGrad(() => script.forwardSync(x));
      const actual = (Array.isArray(result) ? result : [result]) as Tensor[];
      const expected = torch.noGrad(() => run(forward, x));
      expect(actual).toHaveLength(expected.length);
      for (const [i, tensor] of expected.entries()) {
        expect(actual[i]!.dtype).toBe(tensor.dtype);
        expect(actual[i]!.shape).toEqual(tensor.shape);
        expect(torch.allclose(actual[i]!, tensor, { rtol: 1e-6, atol: 1e-6 })).toBe(true);
      }
    }
    script.dispose();
  });

  it("keeps the module's names for parameters and buffers, and the archive in evaluation mode", () => {
    const net = new nn.Sequential({
      conv: new nn.Conv2d(2, 3, 1),
      norm: new nn.BatchNorm2d(3),
      list: new nn.Sequential(new nn.Linear(4, 4)),
    });
    using graph = torch.trace(net.eval(), torch.randn([2, 2, 3, 4]));
    const path = join(folder, "names.pt");
    torch.jit.save(graph, path);
    const script = torch.jit.load(path);
    expect([...script.namedParameters().keys()].sort()).toEqual(
      ["conv.weight", "conv.bias", "norm.weight", "norm.bias", "list.0.weight", "list.0.bias"].sort(),
    );
    expect([...script.stateDict().keys()]).toEqual(expect.arrayContaining(["norm.running_mean", "norm.running_var"]));
    expect(torchScriptSource(graph)).toContain('getattr(self.list, "0").weight');
    script.dispose();
  });

  it("refuses what it has no words for, and leaves no file", () => {
    const path = join(folder, "no.pt");
    using graph = torch.trace(
      (x) => torch.aten("foehn::add_upsampled", x, [x], [2, 2], true) as Tensor,
      torch.randn([2, 1, 2, 2]),
    );
    expect(() => torch.jit.save(graph, path)).toThrow(/foehn::add_upsampled is no operator of PyTorch's own/);
    using plain = torch.trace((x) => x.relu(), torch.randn([2, 3]));
    expect(() => torch.jit.save(plain, join(folder, "none", "x.pt"))).toThrow();
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  const python = process.env.PYTHON ?? "/usr/bin/python3";
  const hasTorch = spawnSync(python, ["-c", "import torch"]).status === 0;
  it.skipIf(!hasTorch)("is read by Python (skipped where python3 has no torch)", { timeout: 60_000 }, () => {
    torch.manualSeed(1);
    const net = new nn.Sequential(
      new nn.Conv2d(2, 4, 3, { padding: 1 }),
      new nn.BatchNorm2d(4),
      new nn.GELU(),
      new nn.MaxPool2d(2),
    );
    using graph = torch.trace(net.eval(), torch.randn([2, 2, 6, 6]));
    torch.jit.save(graph, join(folder, "python.pt"));
    const x = torch.randn([3, 2, 6, 6]);
    torch.npy.save(join(folder, "x.npy"), x);
    const script = `
import numpy, torch
net = torch.jit.load("python.pt")
assert not net.training and "0.weight" in net.state_dict()
numpy.save("y.npy", net(torch.from_numpy(numpy.load("x.npy"))).detach().numpy())
`;
    const told = spawnSync(python, ["-c", script], { cwd: folder, encoding: "utf8" });
    expect(told.stderr).toBe("");
    const y = torch.npy.load(join(folder, "y.npy"));
    expect(
      torch.allclose(
        y,
        torch.noGrad(() => net.forward(x)),
        { rtol: 1e-5, atol: 1e-6 },
      ),
    ).toBe(true);
  });
});

// graphlam, hilam and hilamparallel against mfai's own numbers, and what holds for each of them.

import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { beforeAll, describe, expect, it } from "vitest";
import { NamedTensor } from "../../tensor/named-tensor.js";
import type { GraphNetwork } from "../graph-network.js";
import type { Network } from "../network.js";
import { createNetwork } from "../registry.js";

const golden = (name: string) => fileURLToPath(new URL(`../../../../../test/golden/${name}`, import.meta.url));
const names = ["graphlam", "hilam", "hilamparallel"];

beforeAll(() => {
  process.env.FOEHN_CACHE = mkdtempSync(join(tmpdir(), "foehn-graph-networks-"));
});

/** Reads a case written by test/golden/models/graph_networks.py. */
function loadCase(name: string) {
  const data = torch.load(golden(`models/${name}.pt`)) as Map<string, unknown>;
  return {
    name: data.get("name") as string,
    shape: data.get("shape") as [number, number],
    settings: Object.fromEntries(data.get("settings") as Map<string, unknown>),
    state: data.get("state_dict") as Map<string, Tensor>,
    input: data.get("input") as Tensor,
    output: data.get("output") as Tensor,
    gradients: data.get("gradients") as Map<string, Tensor>,
  };
}

const maxDifference = (a: Tensor, b: Tensor) => a.sub(b).abs().max().item();

function make(name: string, shape: [number, number], settings: object = {}): Network {
  return createNetwork(name, 3, 2, { hidden_dims: 8, processor_layers: 2, ...settings }, shape);
}

describe("graph networks", () => {
  it.each([
    ["graphlam", 2, 1, 210_369],
    ["graphlam", 21, 21, 212_885],
    ["hilam", 2, 1, 870_529],
    ["hilam", 21, 21, 873_045],
    ["hilamparallel", 2, 1, 536_705],
  ])("%s, %i→%i features: %i parameters", (name, from, to, expected) => {
    using network = createNetwork(name, from, to, {}, [64, 64]);
    expect(network.numParameters()).toBe(expected);
  });

  describe.each(["graphlam", "graphlam_shallow", "hilam", "hilamparallel"])("mfai's numbers: %s", (name) => {
    it("output and gradients, with its state dict and the mesh built as there", () => {
      torch.scope(() => {
        const data = loadCase(name);
        const network = createNetwork(data.name, 3, 2, data.settings, data.shape);
        network.loadStateDict(data.state);
        const y = network.forward(data.input);
        expect(maxDifference(y, data.output)).toBeLessThan(2e-5);
        y.square().mean().backward();
        const parameters = network.namedParameters();
        expect(data.gradients.size).toBeGreaterThan(30);
        for (const [key, expected] of data.gradients) {
          const gradient = parameters.get(key)!.grad!;
          expect(maxDifference(gradient, expected), key).toBeLessThan(1e-4 * (1 + expected.abs().max().item()));
        }
      });
    });
  });

  it("takes the graph folder that mfai wrote, with and without the shift of its senders", () => {
    torch.scope(() => {
      const folder = golden("grid/graph");
      const x = torch.randn([1, 27 * 30, 3]);
      const outputs = (["index", "none"] as const).flatMap((compat) => {
        torch.manualSeed(3);
        const built = make("hilam", [27, 30], { compat });
        torch.manualSeed(3);
        const given = make("hilam", [27, 30], { compat, mesh_file: folder });
        return [built.forward(x), given.forward(x)];
      });
      expect(maxDifference(outputs[0]!, outputs[1]!)).toBeLessThan(1e-5);
      expect(maxDifference(outputs[0]!, outputs[3]!)).toBeGreaterThan(1e-3);
    });
  });

  it("says which mesh weights belong to", () => {
    torch.scope(() => {
      const { state, settings } = loadCase("graphlam");
      const network = createNetwork("graphlam", 3, 2, { ...settings, compat: "none" }, [27, 30]);
      expect(() => network.loadStateDict(state)).toThrow(/961 edges|compat|g2m edges; this network has/);
    });
  });

  it("reads names inside mfai's checkpoint wrappers", () => {
    torch.scope(() => {
      const { state, settings, input, output } = loadCase("graphlam");
      const wrapped = new Map(
        [...state].map(([key, value]) => [key.replace(/^(\w+_embedder|.*_mlp)\./, "$1.module."), value]),
      );
      expect([...wrapped.keys()]).toContain("processor.module_0.edge_mlp.module.0.weight");
      const network = createNetwork("graphlam", 3, 2, settings, [27, 30]);
      network.loadStateDict(wrapped);
      expect(maxDifference(network.forward(input), output)).toBeLessThan(2e-5);
    });
  });

  it.each(names)("%s: every output depends on the whole domain, corners included", (name) => {
    torch.scope(() => {
      const shape: [number, number] = [27, 34];
      const network = make(name, shape, { processor_layers: 4 });
      const x = torch.randn([1, 27 * 34, 3], { requiresGrad: true });
      const middle = 13 * 34 + 17;
      network.forward(x).select(1, middle).sum().backward();
      expect(x.grad!.abs().sum([0, 2]).gt(0).sum().item()).toBe(27 * 34);
    });
  });

  it.each(names)("%s: samples of a batch do not meet", (name) => {
    torch.scope(() => {
      const network = make(name, [27, 27]);
      const x = torch.randn([3, 27 * 27, 3]);
      const together = network.forward(x);
      const alone = network.forward(x.narrow(0, 1, 1));
      expect(maxDifference(together.narrow(0, 1, 1), alone)).toBeLessThan(1e-5);
    });
  });

  it.each(names)("%s: bf16 autocast stays near float32, and gradients are finite", (name) => {
    torch.scope(() => {
      const network = make(name, [27, 27]);
      const x = torch.randn([1, 27 * 27, 3]);
      const exact = network.forward(x);
      const y = torch.autocast({ dtype: "bfloat16" }, () => network.forward(x)).to("float32");
      expect(maxDifference(y, exact)).toBeLessThan(0.1);
      y.square().mean().backward();
      for (const [key, parameter] of network.namedParameters()) {
        if (parameter.grad !== null) expect(parameter.grad.isfinite().all().item(), key).toBe(1);
      }
      const trained = network.parameters().filter((parameter) => parameter.grad !== null).length;
      expect(trained).toBeGreaterThan(0.8 * network.parameters().length);
    });
  });

  it.each(names)("%s: mesh tensors move with the network and stay out of its state", (name) => {
    torch.scope(() => {
      const network = make(name, [27, 27]);
      expect([...network.stateDict().keys()].some((key) => key.startsWith("mesh."))).toBe(false);
      const buffers = [...network.namedBuffers()];
      expect(buffers.length).toBeGreaterThan(10);
      const before = buffers.filter(([, buffer]) => buffer.dtype === "float32").length;
      network.to({ dtype: "float64" });
      const after = [...network.namedBuffers()].filter(([, buffer]) => buffer.dtype === "float64").length;
      expect(after).toBe(before);
      expect(network.forward(torch.zeros([1, 729, 3], { dtype: "float64" })).dtype).toBe("float64");
    });
  });

  it("flattens statics and batches", () => {
    torch.scope(() => {
      const network = make("graphlam", [9, 10]) as GraphNetwork;
      const named = (shape: number[], dims: string[]) =>
        new NamedTensor(
          torch
            .arange(shape.reduce((a, b) => a * b))
            .to("float32")
            .reshape(shape),
          dims,
          Array.from({ length: shape.at(-1)! }, (_, i) => `f${i}`),
        );
      const field = (features: number) => named([9, 10, features], ["lat", "lon", "features"]);
      const statics = network.transformStatics({ features: field(2), borderMask: field(1), interiorMask: field(1) });
      expect(statics.features.names).toEqual(["ngrid", "features"]);
      expect(statics.borderMask.shape).toEqual([90, 1]);
      const part = named([2, 3, 9, 10, 4], ["batch", "timestep", "lat", "lon", "features"]);
      const times = { inputs: [[0], [0]], outputs: [[1], [1]] };
      const batch = {
        inputs: part,
        outputs: part,
        forcing: part,
        mask: part,
        times,
        batchSize: 2,
        numInputSteps: 3,
        numPredSteps: 3,
      };
      const { inputs, mask, inputMask } = network.transformBatch(batch);
      expect(inputs.names).toEqual(["batch", "timestep", "ngrid", "features"]);
      expect(mask!.shape).toEqual([2, 3, 90, 4]);
      expect(inputMask).toBeUndefined();
      const [row, column] = [7, 4];
      expect(inputs.tensor.index(1, 2, row * 10 + column, 3).item()).toBe(
        part.tensor.index(1, 2, row, column, 3).item(),
      );
    });
  });

  it("names what is wrong with the settings or the grid", () => {
    expect(() => make("graphlam", [8, 8])).toThrow(/8×8 points is too small/);
    expect(() => make("hilam", [20, 20])).toThrow(/20×20 points has one/);
    expect(() => make("graphlam", [27, 30], { mesh_file: golden("grid/graph") })).toThrow(/is hierarchical/);
    expect(() => make("graphlam", [9, 10], { mesh_file: "/nowhere" })).toThrow(/does not exist/);
    expect(() => make("hilam", [28, 30], { mesh_file: golden("grid/graph") })).toThrow(/810 grid points.*28×30/);
    expect(() => make("hilam", [27, 27], { use_checkpointing: true })).toThrow(/checkpoint-steps/);
    expect(() => make("hilam", [27, 27], { hiden_dims: 3 })).toThrow(/hidden_dims/);
  });

  it("keeps meshes in the folder of tmp_dir", () => {
    const folder = mkdtempSync(join(tmpdir(), "foehn-meshes-"));
    make("hilamparallel", [27, 30], { tmp_dir: folder }).dispose();
    expect(readdirSync(folder)).toHaveLength(1);
  });
});

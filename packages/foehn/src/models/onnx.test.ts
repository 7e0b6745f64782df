// Every network of the registry that says it exports to ONNX, against ONNX Runtime; and that those which say no are told why.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import { GraphNetwork } from "./graph-network.js";
import type { Network } from "./network.js";
import { createNetwork, networks } from "./registry.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-zoo-onnx-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Settings that keep the large ones small. */
const small: Record<string, Record<string, unknown>> = {
  unet: { init_features: 8 },
  segformer: { dims: [8, 10, 15, 16], decoder_dim: 16 },
  swinunetr: { feature_size: 12 },
  unetrpp: { hidden_size: 32 },
  graphlam: { hidden_dims: 8, processor_layers: 2 },
  hilam: { hidden_dims: 8, processor_layers: 2 },
  hilamparallel: { hidden_dims: 8, processor_layers: 2 },
};

function make(name: string, settings: Record<string, unknown>, shape: readonly number[]): Network {
  torch.manualSeed(5);
  const network = createNetwork(name, 5, 3, settings, shape).eval();
  torch.noGrad(() =>
    torch.scope(() => {
      for (const [key, buffer] of network.namedBuffers()) {
        if (key.endsWith("running_var")) buffer.copy_(torch.rand(buffer.shape).add(0.5));
        if (key.endsWith("running_mean")) buffer.copy_(torch.randn(buffer.shape).mul(0.1));
      }
    }),
  );
  return network;
}

async function agrees(name: string, settings: Record<string, unknown>, shape: readonly number[]) {
  const network = make(name, settings, shape);
  const sample = network instanceof GraphNetwork ? [shape[0]! * shape[1]!, 5] : [...shape, 5];
  const made = await torch.onnx.exportOnnx(network, torch.randn([2, ...sample]), join(folder, `${name}.onnx`), {
    tolerance: 1e-4,
    batchSizes: [1, 3],
  });
  network.dispose();
  return made;
}

describe("ONNX export of the zoo", () => {
  const able = networks.list().filter((network) => network.onnxSupported);

  it.each(able.map((network) => network.modelName))("%s", { timeout: 180_000 }, async (name) => {
    const made = await agrees(name, small[name] ?? {}, [64, 64]);
    expect(made.maxRelativeDifference).toBeLessThan(1e-4);
    // Sizes that the network pads and crops by itself.
    if (name !== "persistence" && name !== "identity") await agrees(name, small[name] ?? {}, [39, 50]);
  });

  it("halfunet with all its settings", { timeout: 180_000 }, async () => {
    for (const settings of [
      { use_ghost: true },
      { absolute_pos_embed: true, bias: true },
      { dilation: 2, last_activation: "Tanh" },
      { last_activation: "GELU" },
    ]) {
      await agrees("halfunet", { num_filters: 8, ...settings }, [16, 20]);
    }
  });
});

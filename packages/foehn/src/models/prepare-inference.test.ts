import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Logger } from "../core/log.js";
import { type ModelType, Network } from "./network.js";
import { type PreparedForward, prepareForInference } from "./prepare-inference.js";
import { createNetwork, networks } from "./registry.js";

function make(name: string, settings: Record<string, unknown> = {}, shape = [32, 48]): Network {
  torch.manualSeed(7);
  const network = createNetwork(name, 6, 4, settings, shape).eval();
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

const bf16 = <T>(fn: () => T): T => torch.inferenceMode(() => torch.autocast({ device: "cpu", dtype: "bfloat16" }, fn));
const apart = (a: Tensor, b: Tensor): number =>
  torch.scope(() => a.float().sub(b.float()).norm().div(b.float().norm()).item());

function recorder(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = (message: string) => void lines.push(message);
  return { logger: { debug: log, info: log, warn: log, error: log }, lines };
}

let prepared: PreparedForward | undefined;
afterEach(() => prepared?.dispose());

describe("prepareForInference", () => {
  const small: Record<string, Record<string, unknown>> = {
    afno: { embed_dim: 16, depth: 2, num_blocks: 2, patch_size: 4 },
    halfunet: { num_filters: 16 },
    segformer: { dims: [8, 10, 15, 16], decoder_dim: 16 },
    swinunetr: { feature_size: 12 },
    unetrpp: { hidden_size: 32 },
    unet: { init_features: 8 },
  };

  const gridded = networks.list().filter((network) => network.modelType !== "graph");
  it.each(gridded.map((network) => network.modelName))(
    "gives what %s gives, to the rounding of bfloat16",
    { timeout: 180_000 },
    (name) => {
      const network = make(name, small[name]);
      const { logger, lines } = recorder();
      prepared = prepareForInference(network, { precision: "bf16-mixed", logger });
      for (const batch of [2, 1]) {
        const x = torch.randn([batch, 32, 48, 6]);
        const exact = torch.noGrad(() => network.forward(x));
        const expected = bf16(() => network.forward(x));
        const first = bf16(() => prepared!.forward(x));
        expect(prepared.fusions, lines.join("\n")).not.toBeNull();
        expect(first.shape).toEqual(expected.shape);
        expect(first.dtype).toBe(expected.dtype);
        // The same call gives the same numbers, so that a forecast restarts bit for bit.
        expect(
          torch.equal(
            bf16(() => prepared!.forward(x)),
            first,
          ),
        ).toBe(true);
        if (exact.abs().max().item() === 0) continue;
        // Without oneDNN's kernels (no AVX-512) ATen's sum up in bfloat16, in another order for folded weights.
        const [most, times] = torch.cpuCapabilities().avx512 ? [0.03, 1.3] : [0.08, 2.5];
        expect(apart(first, expected)).toBeLessThan(most);
        expect(apart(first, exact)).toBeLessThan(times * apart(expected, exact) + 1e-6);
      }
      network.dispose();
    },
  );

  it("fuses every layer of halfunet", () => {
    const network = make("halfunet", { num_filters: 16 });
    prepared = prepareForInference(network, { precision: "bf16-mixed" });
    bf16(() => prepared!.forward(torch.randn([1, 32, 48, 6])));
    expect(prepared.fusions).toMatchObject({ batchNorms: 12, upsamplings: 4 });
    if (torch.version().mkldnn && torch.cpuCapabilities().avx512)
      expect(prepared.fusions).toMatchObject({ packedConvolutions: 13, relus: 12 });
  });

  it("leaves fp32 as it is, to the bit", () => {
    const network = make("halfunet", { num_filters: 16 });
    prepared = prepareForInference(network, { precision: "fp32" });
    const x = torch.randn([2, 32, 48, 6]);
    expect(
      torch.equal(
        torch.noGrad(() => prepared!.forward(x)),
        torch.noGrad(() => network.forward(x)),
      ),
    ).toBe(true);
    expect(prepared.fusions).toBeNull();
  });

  it("leaves graph networks to their own loops", () => {
    const network = make("graphlam", { hidden_dims: 8 }, [32, 32]);
    prepared = prepareForInference(network, { precision: "bf16-mixed" });
    const x = torch.randn([1, 32 * 32, 6]);
    expect(
      torch.equal(
        bf16(() => prepared!.forward(x)),
        bf16(() => network.forward(x)),
      ),
    ).toBe(true);
    expect(prepared.fusions).toBeNull();
  });

  it("says why it leaves a network as it is, and runs it", () => {
    class Reads extends Network {
      static readonly modelName = "reads";
      static readonly modelType: ModelType = "convolutional";
      static readonly onnxSupported = false;
      static readonly settings = z.strictObject({});
      override forward(x: Tensor): Tensor {
        return x.mul(x.abs().max().item());
      }
    }
    const network = new Reads(3, 3, {}, [4, 4]);
    const { logger, lines } = recorder();
    prepared = prepareForInference(network, { precision: "bf16-mixed", logger });
    const x = torch.randn([1, 4, 4, 3]);
    expect(
      torch.equal(
        bf16(() => prepared!.forward(x)),
        network.forward(x),
      ),
    ).toBe(true);
    bf16(() => prepared!.forward(x));
    expect(lines).toEqual([expect.stringMatching(/not fused, .*item\(\) is called/)]);
    expect(prepared.fusions).toBeNull();
  });

  it("frees what it made", () => {
    torch.scope(() => {
      const network = make("halfunet", { num_filters: 8 });
      const x = torch.randn([1, 32, 48, 6]);
      const before = torch.memoryStats().liveTensors;
      const own = prepareForInference(network, { precision: "bf16-mixed" });
      for (let i = 0; i < 3; i++) bf16(() => own.forward(x)).dispose();
      const held = torch.memoryStats().liveTensors;
      bf16(() => own.forward(x)).dispose();
      expect(torch.memoryStats().liveTensors).toBe(held);
      own.dispose();
      expect(torch.memoryStats().liveTensors).toBe(before);
    });
  });
});

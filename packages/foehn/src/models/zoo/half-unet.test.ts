import { fileURLToPath } from "node:url";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { createNetwork } from "../registry.js";
import { readStateDict } from "../state-dict-files.js";

const golden = (name: string) => fileURLToPath(new URL(`../../../../../test/golden/models/${name}`, import.meta.url));

/** Reads a case written by test/golden/models/half_unet.py. */
function loadCase(name: string) {
  const data = torch.load(golden(`${name}.pt`)) as Map<string, unknown>;
  return {
    settings: Object.fromEntries(data.get("settings") as Map<string, unknown>),
    state: data.get("state_dict") as Map<string, Tensor>,
    input: data.get("input") as Tensor,
    output: data.get("output") as Tensor,
    trainOutput: data.get("train_output") as Tensor,
    runningMean: data.get("running_mean") as Map<string, Tensor>,
  };
}

const maxDifference = (a: Tensor, b: Tensor) => a.sub(b).abs().max().item() as number;

describe("HalfUNet", () => {
  it.each([
    [21, 21, 64, false, 420_480],
    [46, 21, 64, false, 434_880],
    [3, 1, 32, false, 103_040],
    [3, 1, 64, false, 408_832],
    [3, 1, 64, true, 208_672],
    [3, 1, 128, false, 1_628_672],
    [3, 1, 128, true, 822_848],
  ])("%i→%i features, %i filters, ghost %s: %i parameters", (from, to, num_filters, use_ghost, expected) => {
    using network = createNetwork("halfunet", from, to, { num_filters, use_ghost }, [64, 64]);
    expect(network.numParameters()).toBe(expected);
  });

  it("counts 855,680 parameters with position embeddings on 64×64", () => {
    using network = createNetwork("halfunet", 21, 21, { absolute_pos_embed: true }, [64, 64]);
    expect(network.numParameters()).toBe(855_680);
  });

  it.each(["plain", "ghost", "padded"])("gives PyTorch's numbers: %s", (name) => {
    torch.scope(() => {
      const data = loadCase(name);
      const [, height, width, from] = data.input.shape as [number, number, number, number];
      const network = createNetwork("halfunet", from, data.output.shape[3]!, data.settings, [height, width]);
      for (const layout of ["channels_last", "contiguous"] as const) {
        network.activationLayout = layout;
        network.loadStateDict(data.state); // strict: the keys are the reference's
        network.eval();
        expect(
          maxDifference(
            torch.noGrad(() => network.forward(data.input)),
            data.output,
          ),
        ).toBeLessThan(1e-5);
        network.train();
        expect(
          maxDifference(
            torch.noGrad(() => network.forward(data.input)),
            data.trainOutput,
          ),
        ).toBeLessThan(1e-5);
        const after = network.stateDict();
        for (const [key, mean] of data.runningMean) expect(maxDifference(after.get(key)!, mean)).toBeLessThan(1e-5);
      }
    });
  });

  it.each([
    ["plain state dict", "state_dict.pt"],
    ["Lightning checkpoint, none of whose code is run,", "lightning.ckpt"],
  ])("takes a %s of the reference by its own keys", (_, file) => {
    torch.scope(() => {
      const { settings, input, output } = loadCase("plain");
      const network = createNetwork("halfunet", 5, 3, settings, [16, 32]);
      const known = new Set(network.stateDict().keys());
      network.loadStateDict(readStateDict(golden(file), known));
      network.eval();
      expect(
        maxDifference(
          torch.noGrad(() => network.forward(input)),
          output,
        ),
      ).toBeLessThan(1e-5);
    });
  });

  it("takes any size with padding, and says what to do without it", () => {
    torch.scope(() => {
      const network = createNetwork("halfunet", 2, 1, { num_filters: 4 }, [33, 49]);
      expect(network.forward(torch.randn([2, 33, 49, 2])).shape).toEqual([2, 33, 49, 1]);
      expect(() => createNetwork("halfunet", 2, 1, { autopad_enabled: false }, [33, 49])).toThrow(
        /33×49.*multiples of 16/,
      );
    });
  });

  it("refuses to normalise over a single value, which would make the statistics infinite", () => {
    torch.scope(() => {
      const network = createNetwork("halfunet", 2, 1, { num_filters: 4 }, [16, 16]);
      expect(() => network.forward(torch.randn([1, 16, 16, 2]))).toThrow(/one sample of 16×16/);
      expect(network.forward(torch.randn([2, 16, 16, 2])).shape).toEqual([2, 16, 16, 1]);
      network.eval();
      expect(network.forward(torch.randn([1, 16, 16, 2])).shape).toEqual([1, 16, 16, 1]);
    });
  });

  it("crops the field it padded, not its neighbour", () => {
    torch.scope(() => {
      // Padding by hand, on the sides where it belongs, must give the same: a shift by one cell would show.
      const network = createNetwork("halfunet", 1, 1, { num_filters: 2 }, [17, 18]);
      network.eval();
      const x = torch.randn([1, 17, 18, 1]);
      const y = torch.noGrad(() => network.forward(x));
      const padded = torch.constantPadNd(x, [0, 0, 7, 7, 7, 8]);
      const direct = torch
        .noGrad(() => network.forward(padded))
        .slice({ dim: 1, start: 7, end: 24 })
        .slice({ dim: 2, start: 7, end: 25 });
      expect(maxDifference(y, direct)).toBeLessThan(1e-6);
    });
  });

  it("names wrong settings and the nearest right ones", () => {
    expect(() => createNetwork("halfunet", 2, 1, { num_filter: 8 }, [16, 16])).toThrow(/num_filter/);
    expect(() => createNetwork("halfunet", 2, 1, { last_activation: "Relu" }, [16, 16])).toThrow(/ReLU/);
    expect(() => createNetwork("halfunet", 2, 1, { num_filters: 3, use_ghost: true }, [16, 16])).toThrow(/even/);
  });

  it("lists mis-shaped keys when the weights are of other settings", () => {
    torch.scope(() => {
      const network = createNetwork("halfunet", 2, 1, { num_filters: 4 }, [16, 16]);
      const other = createNetwork("halfunet", 3, 1, { num_filters: 4 }, [16, 16]);
      expect(() => network.loadStateDict(other.stateDict())).toThrow(
        /encoder1\.enc1conv1\.weight.*\[4, 2, 3, 3\].*\[4, 3, 3, 3\]/s,
      );
    });
  });
});

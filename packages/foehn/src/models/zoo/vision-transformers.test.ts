// What holds for every vision transformer of the zoo: the reference's numbers, gradients, precision, sizes, memory.

import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { createNetwork } from "../registry.js";
import { gradientNorms, inputOf, loadGolden, lossOf, networkOf, relativeDifference } from "./golden.test-support.js";

const LAYOUTS = ["channels_last", "contiguous"] as const;

/** Settings of a network small enough to be trained in a test. */
const SMALL: Readonly<Record<string, object>> = {
  segformer: { dims: 8, heads: 2, ff_expansion: 2, decoder_dim: 16, num_downsampling_chans: 8 },
  swinunetr: { feature_size: 12, num_heads: [1, 2, 3, 4], depths: [2, 1, 1, 1] },
  unetrpp: {
    hidden_size: 32,
    num_heads_encoder: 2,
    encoder_proj_sizes: [8, 8, 8, 4],
    decoder_proj_size: 8,
    depths: [1, 1, 1, 1],
  },
};

describe.each(Object.keys(SMALL))("%s", (name) => {
  const { cases, counts } = loadGolden(name, name === "unetrpp" ? { compat: "mfai" } : {});

  it.each([...cases])("gives mfai's numbers: %s", (_, golden) => {
    torch.scope(() => {
      const network = networkOf(name, golden);
      network.eval();
      for (const layout of LAYOUTS) {
        network.activationLayout = layout;
        const y = torch.noGrad(() => network.forward(inputOf(golden)));
        expect(relativeDifference(y, golden.output)).toBeLessThan(1e-4);
      }
    });
  });

  it.each([...cases])("trains as mfai's does: %s", (_, golden) => {
    torch.scope(() => {
      // In float64, so that what differs is the formula and not rounding.
      const network = networkOf(name, golden).to({ dtype: "float64" });
      withoutDropout(network.train());
      const loss = lossOf(network.forward(inputOf(golden).to("float64")));
      expect(Math.abs((loss.item() as number) - golden.loss) / Math.max(1, Math.abs(golden.loss))).toBeLessThan(1e-6);
      loss.backward();
      for (const [i, [key, norm]] of [...gradientNorms(network)].entries()) {
        const wanted = golden.gradients[i]!;
        expect(Math.abs(norm - wanted) / Math.max(1, wanted), key).toBeLessThan(1e-5);
      }
    });
  });

  it.each([...counts])("counts mfai's parameters: %s", (description, expected) => {
    const [, height, width, from, to, settings] = /(\d+)x(\d+) (\d+)->(\d+) (.*)/.exec(description)!;
    const shape = [Number(height), Number(width)];
    using network = createNetwork(name, Number(from), Number(to), JSON.parse(settings!), shape);
    expect(network.numParameters()).toBe(expected);
  });

  it("gives every parameter a gradient", () => {
    torch.scope(() => {
      const network = createNetwork(name, 3, 2, SMALL[name], [64, 64]);
      network
        .forward(torch.randn([2, 64, 64, 3]))
        .square()
        .mean()
        .backward();
      for (const [key, norm] of gradientNorms(network)) expect(norm, key).toBeGreaterThanOrEqual(0);
    });
  });

  it("takes any size with padding, and says what to do without it", () => {
    torch.scope(() => {
      const network = createNetwork(name, 2, 1, SMALL[name], [33, 49]);
      expect(network.forward(torch.randn([2, 33, 49, 2])).shape).toEqual([2, 33, 49, 1]);
      expect(() => createNetwork(name, 2, 1, { ...SMALL[name], autopad_enabled: false }, [33, 49])).toThrow(
        /33×49.*multiples of (32|64)/,
      );
    });
  });

  it("answers the same every time in evaluation, in bfloat16 nearly as in float32", () => {
    torch.scope(() => {
      torch.manualSeed(0);
      const network = createNetwork(name, 3, 2, SMALL[name], [64, 64]);
      network.to({ memoryFormat: "channels_last" });
      const x = torch.randn([2, 64, 64, 3]);
      torch.noGrad(() => {
        for (let i = 0; i < 3; i++) network.forward(x); // statistics of batch normalisation
        network.eval();
        const y = network.forward(x);
        expect(network.forward(x).equal(y)).toBe(true);
        const rough = torch.autocast({ dtype: "bfloat16" }, () => network.forward(x)).to("float32");
        expect(rough.sub(y).norm().div(y.norm()).item()).toBeLessThan(0.03);
        expect(rough.equal(y)).toBe(false);
      });
    });
  });

  it("learns in bfloat16, with as much memory at the end as after the first step", () => {
    torch.scope(() => {
      torch.manualSeed(1);
      const network = createNetwork(name, 3, 1, SMALL[name], [64, 64]);
      network.to({ memoryFormat: "channels_last" });
      const optimizer = new torch.optim.AdamW(network.parameters(), { lr: 3e-3 });
      const x = torch.randn([2, 64, 64, 3]);
      const target = torch.linspace(-3, 3, 64).reshape([1, 64, 1, 1]);
      const step = () =>
        torch.scope(() => {
          optimizer.zeroGrad();
          const y = torch.autocast({ dtype: "bfloat16" }, () => network.forward(x)).to("float32");
          const loss = y.sub(target).square().mean();
          loss.backward();
          optimizer.step();
          return loss.item() as number;
        });
      const first = step();
      const handles = torch.memoryStats().liveTensors;
      let last = first;
      for (let i = 0; i < 12; i++) last = step();
      expect(torch.memoryStats().liveTensors).toBe(handles);
      expect(last).toBeLessThan(0.9 * first);
    });
  });
});

function withoutDropout(network: torch.nn.Module): void {
  for (const module of network.modules()) {
    if (module instanceof torch.nn.Dropout || module instanceof torch.nn.Dropout2d) {
      (module as { p: number }).p = 0;
    }
  }
}

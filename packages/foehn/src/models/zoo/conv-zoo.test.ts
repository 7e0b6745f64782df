// The convolutional networks and AFNO against the reference implementations (test/golden/models/conv_zoo.py).
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { fillByFormula, golden, inputOf, readCase, relativeDifference } from "../formula.test-support.js";
import { createNetwork } from "../registry.js";
import { readStateDict } from "../state-dict-files.js";
import { DropPath } from "./drop-path.js";
import { adaptColours } from "./pretrained-resnet.js";
import { ResNetEncoder } from "./resnet-encoder.js";

const cases: readonly (readonly [file: string, model: string])[] = [
  ["unet", "unet"],
  ["unet_padded", "unet"],
  ["customunet18", "customunet"],
  ["customunet34", "customunet"],
  ["customunet50", "customunet"],
  ["deeplabv3", "deeplabv3"],
  ["deeplabv3_50", "deeplabv3"],
  ["deeplabv3plus", "deeplabv3plus"],
  ["deeplabv3plus_8", "deeplabv3plus"],
  ["afno", "afno"],
  ["afno_tall", "afno"],
  ["afno_few_modes", "afno"],
];

describe("parity with the reference implementation", () => {
  it.each(cases)("%s", (file, model) => {
    torch.scope(() => {
      const data = readCase(file);
      const [, height, width, inputs] = data.shape;
      const network = createNetwork(model, inputs, data.output.shape[3]!, data.settings, [height, width]);
      expect([...network.stateDict().keys()]).toEqual(data.keys);
      const x = inputOf(data.shape);
      fillByFormula(network);
      network.eval();
      for (const layout of ["contiguous", "channels_last"] as const) {
        network.activationLayout = layout;
        const evaluated = torch.noGrad(() => network.forward(x));
        expect(relativeDifference(evaluated, data.output)).toBeLessThan(2e-5);
      }
      network.train();
      for (const module of network.modules()) if (module instanceof torch.nn.Dropout) module.eval();
      const trained = torch.noGrad(() => network.forward(x));
      expect(relativeDifference(trained, data.trainOutput)).toBeLessThan(1e-4);
      const after = network.stateDict();
      for (const [key, mean] of data.runningMean) {
        expect(relativeDifference(after.get(key)!, mean)).toBeLessThan(1e-4);
      }
    });
  });

  it.each([
    ["unet", 21, 21, {}, 31_049_301],
    ["unet", 3, 1, {}, 31_037_633],
    ["customunet", 21, 21, {}, 14_390_906],
    ["customunet", 21, 21, { encoder_name: "resnet34" }, 24_499_066],
    ["customunet", 21, 21, { encoder_name: "resnet50" }, 71_936_698],
    ["deeplabv3", 21, 21, {}, 15_960_533],
    ["deeplabv3", 21, 21, { encoder_name: "resnet50" }, 39_695_317],
    ["deeplabv3plus", 21, 21, {}, 12_390_885],
    ["deeplabv3plus", 21, 21, { encoder_name: "resnet50" }, 26_739_173],
    ["identity", 21, 21, {}, 1],
  ])("%s %i→%i %o has %i parameters", (model, from, to, settings, expected) => {
    using network = createNetwork(model, from, to, settings, [64, 64]);
    expect(network.numParameters()).toBe(expected);
  });
});

describe("gradients", () => {
  it.each([
    ["unet", { init_features: 4 }],
    ["customunet", { encoder_depth: 3 }],
    ["deeplabv3", { decoder_channels: 8, encoder_depth: 4 }],
    ["deeplabv3plus", { decoder_channels: 8 }],
    ["afno", { embed_dim: 16, depth: 2, patch_size: 4 }],
    ["identity", {}],
  ])("of %s reach every parameter that is not frozen", (model, settings) => {
    torch.scope(() => {
      torch.manualSeed(1);
      const network = createNetwork(model, 3, 2, settings, [33, 40]);
      network
        .forward(torch.randn([2, 33, 40, 3]))
        .square()
        .mean()
        .backward();
      const without = [...network.namedParameters()].filter(([, p]) => p.requiresGrad && p.grad === null);
      expect(without.map(([name]) => name)).toEqual([]);
    });
  });
});

describe("pretrained encoders", () => {
  const expected = torch.load(golden("adapted_colours.pt")) as Map<string, Tensor>;

  it.each([...expected.keys()])("take %s input features as the reference does", (inputs) => {
    torch.scope(() => {
      const conv = new torch.nn.Conv2d(3, 64, 7, { bias: false });
      fillByFormula(conv);
      const adapted = adaptColours(conv.weight, Number(inputs)).narrow(0, 0, 4);
      expect(relativeDifference(adapted, expected.get(inputs)!)).toBeLessThan(1e-6);
    });
  });

  it("load torchvision's files, classifier and all, when a training begins", () => {
    const folder = mkdtempSync(join(tmpdir(), "foehn-"));
    try {
      torch.scope(() => {
        const encoder = new ResNetEncoder(3, { name: "resnet18", depth: 5 });
        fillByFormula(encoder);
        const path = join(folder, "resnet18.safetensors");
        const state = new Map([
          ...encoder.stateDict(),
          ["fc.weight", torch.zeros([2, 512])],
          ["fc.bias", torch.zeros([2])],
        ]);
        torch.safetensors.save(path, state);
        const network = createNetwork("customunet", 5, 2, { encoder_weights: path }, [32, 32]);
        const deep = "encoder.layer4.0.conv1.weight";
        const wanted = state.get("layer4.0.conv1.weight")!;
        expect(relativeDifference(network.stateDict().get(deep)!, wanted)).toBeGreaterThan(0.1);
        network.loadInitialWeights();
        expect(relativeDifference(network.stateDict().get(deep)!, wanted)).toBe(0);
        const other = createNetwork("deeplabv3", 5, 2, { encoder_weights: path, encoder_name: "resnet50" }, [32, 32]);
        expect(() => other.loadInitialWeights()).toThrow(
          expect.objectContaining({ code: "model", hint: expect.stringContaining("encoder_name") }),
        );
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("say how to get the file that is not there", () => {
    expect(() => createNetwork("customunet", 5, 2, { encoder_weights: true }, [32, 32])).toThrow(/give its path/);
    torch.scope(() => {
      const network = createNetwork("customunet", 5, 2, { encoder_weights: "/nowhere/r.pth" }, [32, 32]);
      expect(() => network.loadInitialWeights()).toThrow(/no file \/nowhere\/r\.pth/);
    });
  });
});

describe("FourCastNet's checkpoints", () => {
  it("load as the training script saves them", () => {
    torch.scope(() => {
      const { settings, shape, output } = readCase("afno_tall");
      const network = createNetwork("afno", 2, 2, settings, [36, 20]);
      network.loadStateDict(readStateDict(golden("fourcastnet.tar"), new Set(network.stateDict().keys())));
      network.eval();
      expect(
        relativeDifference(
          torch.noGrad(() => network.forward(inputOf(shape))),
          output,
        ),
      ).toBeLessThan(2e-5);
    });
  });

  it("have the layers of the published configuration", () => {
    torch.scope(() => {
      // 20 variables on 720×1440, patches of 8, 12 blocks of 768 features; depth 1 here, as the blocks are all alike.
      const network = createNetwork("afno", 20, 20, { depth: 1 }, [720, 1440]);
      const shapes = Object.fromEntries([...network.stateDict()].map(([key, tensor]) => [key, tensor.shape]));
      expect(shapes).toMatchObject({
        pos_embed: [1, 16_200, 768],
        "patch_embed.proj.weight": [768, 20, 8, 8],
        "blocks.0.filter.w1": [2, 8, 96, 96],
        "blocks.0.filter.b2": [2, 8, 96],
        "blocks.0.mlp.fc1.weight": [3072, 768],
        "norm.weight": [768],
        "head.weight": [1280, 768],
      });
    });
  });
});

describe("wrong settings and sizes", () => {
  it.each([
    ["unet", { init_feature: 8 }, [16, 16], /init_feature/],
    ["unet", { autopad_enabled: false }, [33, 48], /unet cannot take a 33×48 grid.*multiples of 16/],
    ["customunet", { autopad_enabled: false, encoder_depth: 3 }, [33, 48], /multiples of 8/],
    ["customunet", { encoder_name: "resnet19" }, [32, 32], /resnet18/],
    ["deeplabv3", { upsampling: 4 }, [32, 32], /upsampling 4/],
    ["deeplabv3plus", { encoder_depth: 4 }, [32, 32], /encoder_depth/],
    ["deeplabv3plus", { aux_params: { classes: 2 } }, [32, 32], /aux_params/],
    ["afno", { embed_dim: 30 }, [32, 32], /num_blocks.*divide embed_dim/],
    ["identity", {}, [32, 32], /identity cannot make 3 features of 2/],
  ])("%s %o on %o", (model, settings, shape, message) => {
    expect(() => createNetwork(model, 2, 3, settings, shape)).toThrow(message);
  });

  it("refuse batches too small for batch normalisation", () => {
    torch.scope(() => {
      const network = createNetwork("deeplabv3", 2, 1, { decoder_channels: 8, encoder_depth: 3 }, [32, 32]);
      expect(() => network.forward(torch.randn([1, 32, 32, 2]))).toThrow(
        /deeplabv3 cannot train on one sample at a time/,
      );
      expect(network.eval().forward(torch.randn([1, 32, 32, 2])).shape).toEqual([1, 32, 32, 1]);
    });
  });

  it("refuse another grid where the size is fixed", () => {
    torch.scope(() => {
      const network = createNetwork("afno", 2, 1, { embed_dim: 16, depth: 1 }, [32, 32]);
      expect(() => network.forward(torch.randn([1, 32, 48, 2]))).toThrow(/for a 32×32 grid, not for 32×48/);
    });
  });
});

describe("stochastic depth", () => {
  it("drops whole samples and keeps the mean", () => {
    torch.scope(() => {
      torch.manualSeed(3);
      const layer = new DropPath(0.25);
      const y = layer.forward(torch.ones([2000, 3, 2]));
      const perSample = y.reshape([2000, 6]);
      expect(perSample.max().item()).toBeCloseTo(4 / 3, 6);
      expect(torch.equal(perSample.amax({ dim: 1 }), perSample.amin({ dim: 1 }))).toBe(true);
      expect(y.mean().item()).toBeCloseTo(1, 1);
      expect(layer.eval().forward(y)).toBe(y);
    });
  });
});

// The whole zoo keeps the contract, and the suite finds networks that do not.
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type InputShape, Network, type NetworkClass } from "../network.js";
import { networks } from "../registry.js";
import { checkNetwork } from "./check-network.js";

const small: Readonly<Record<string, { settings?: Record<string, unknown>; inputShape?: InputShape }>> = {
  afno: { settings: { embed_dim: 16, depth: 2, num_blocks: 4 } },
  customunet: { settings: { encoder_depth: 2 } },
  deeplabv3: { settings: { encoder_depth: 3, decoder_channels: 8 } },
  deeplabv3plus: { settings: { decoder_channels: 8 } },
  graphlam: { settings: { hidden_dims: 8, processor_layers: 1 }, inputShape: [33, 33] },
  halfunet: { settings: { num_filters: 4 } },
  hilam: { settings: { hidden_dims: 8, processor_layers: 1 }, inputShape: [33, 33] },
  hilamparallel: { settings: { hidden_dims: 8, processor_layers: 1 }, inputShape: [33, 33] },
  identity: {},
  persistence: {},
  segformer: { settings: { dims: [8, 8, 16, 16], heads: [1, 1, 2, 2], decoder_dim: 16, num_downsampling_chans: 8 } },
  swinunetr: { settings: { feature_size: 12 } },
  unet: { settings: { init_features: 4 } },
  unetrpp: {
    settings: {
      hidden_size: 32,
      num_heads_encoder: 2,
      num_heads_decoder: 2,
      depths: [1, 1, 1, 1],
      decoder_proj_size: 8,
      encoder_proj_sizes: [8, 8, 8, 8],
    },
  },
};

describe("the zoo keeps the contract", () => {
  it.each(networks.list().map((network) => network.modelName))(
    "%s",
    async (name) => {
      const outcomes = await checkNetwork(networks.get(name), small[name] ?? {});
      expect(outcomes.filter((outcome) => outcome.status === "failed")).toEqual([]);
      const declared = networks.get(name).onnxSupported;
      expect(outcomes.filter((outcome) => outcome.status === "not checked").map((outcome) => outcome.name)).toEqual([
        ...(name === "persistence" ? ["gradients reach every parameter"] : []),
        ...(declared ? [] : ["ONNX agrees"]),
      ]);
    },
    180_000,
  );
});

/** A right network, and the ways in which the subclasses below are wrong. */
class Right extends Network {
  static readonly modelName: string = "right";
  static readonly modelType = "convolutional" as const;
  static readonly onnxSupported = false;
  static readonly settings: z.ZodType<{ readonly width: number }> = z.strictObject({ width: z.int().default(4) });
  readonly first: torch.nn.Linear;
  readonly last: torch.nn.Linear;

  constructor(inputs: number, outputs: number, settings: { readonly width: number }, shape: InputShape) {
    super(inputs, outputs, settings, shape);
    this.first = new torch.nn.Linear(inputs, settings.width);
    this.last = new torch.nn.Linear(settings.width, outputs);
  }

  override forward(x: Tensor): Tensor {
    return this.last.forward(this.first.forward(x).relu());
  }
}

class LooseSettings extends Right {
  static override readonly settings = z.object({ width: z.int().default(4) });
}
class WrongShape extends Right {
  override forward(x: Tensor): Tensor {
    return super.forward(x).permute([0, 3, 1, 2]);
  }
}
class InPlace extends Right {
  override forward(x: Tensor): Tensor {
    return super.forward(x.relu_());
  }
}
let made = 0;
class Unseeded extends Right {
  readonly shift = new torch.nn.Parameter(torch.full([1], made++));
  override forward(x: Tensor): Tensor {
    return super.forward(x).add(this.shift);
  }
}
class Unused extends Right {
  readonly spare = new torch.nn.Linear(2, 2);
}
class AlwaysDropping extends Right {
  override forward(x: Tensor): Tensor {
    return torch.dropout(super.forward(x), 0.5, true);
  }
}
class OtherInTraining extends Right {
  override forward(x: Tensor): Tensor {
    return super.forward(x).mul(this.training ? 2 : 1);
  }
}
class MixesSamples extends Right {
  override forward(x: Tensor): Tensor {
    return super.forward(x.sub(x.mean()));
  }
}
class HiddenState extends Right {
  readonly offset = torch.randn([1]);
  override forward(x: Tensor): Tensor {
    return super.forward(x).add(this.offset);
  }
}
class Cancels extends Right {
  override forward(x: Tensor): Tensor {
    return super.forward(x.add(1e4)).sub(super.forward(torch.fullLike(x, 1e4)));
  }
}

describe("the suite finds", () => {
  it.each<[string, NetworkClass<{ readonly width: number }>, string | null, RegExp]>([
    ["nothing wrong in a right network", Right, null, /^$/],
    ["settings that take anything", LooseSettings, "settings round trip", /strictObject/],
    ["a wrong layout", WrongShape, "output shapes", /gives \(1, 3, 8, 9\), expected \(1, 8, 9, 3\)/],
    ["a changed input", InPlace, "input left alone", /in-place/],
    ["weights without a seed", Unseeded, "one seed, one network", /"shift" differs/],
    ["an unused layer", Unused, "gradients reach every parameter", /none for spare\.weight, spare\.bias/],
    ["dropout that is always on", AlwaysDropping, "evaluation repeats", /two calls differ/],
    ["another computation in training", OtherInTraining, "training differs only where it should", /differ by/],
    ["samples that see each other", MixesSamples, "batch independence", /alone differs/],
    ["state outside the state dict", HiddenState, "state-dict round trip", /neither parameters nor buffers/],
  ])("%s", async (_, network, name, message) => {
    const outcomes = await checkNetwork(network, { inputShape: [8, 9] });
    const failed = outcomes.filter((outcome) => outcome.status === "failed");
    if (name === null) expect(failed).toEqual([]);
    else expect(failed.find((outcome) => outcome.name === name)?.detail).toMatch(message);
  });

  it("arithmetic that bf16 cannot hold, and an ONNX export that does not exist", async () => {
    class Fourier extends Right {
      static override readonly onnxSupported = true as boolean as false;
      override forward(x: Tensor): Tensor {
        return torch
          .viewAsReal(torch.fftRfft(super.forward(x).to("float32"), { dim: 2 }))
          .sum([2, 4])
          .unsqueeze(2)
          .expand([-1, -1, x.size(2), -1]);
      }
    }
    const failed = async (network: NetworkClass<{ readonly width: number }>) =>
      (await checkNetwork(network, { inputShape: [8, 9] })).filter((o) => o.status === "failed").map((o) => o.name);
    expect(await failed(Cancels)).toContain("bf16 agrees with fp32");
    expect(await failed(Fourier)).toEqual(["ONNX agrees"]);
  });
});

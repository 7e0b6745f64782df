import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { createNetwork } from "../../registry.js";
import { PairedAttention } from "./attention.js";

const SMALL = { hidden_size: 32, num_heads_encoder: 2, depths: [1, 1, 1, 1], decoder_proj_size: 4 };

/** Attention as the paper writes it, head by head, on one sample. */
function plainAttention(layer: PairedAttention, x: Tensor, heads: number): Tensor {
  const [, places, width] = x.shape as [number, number, number];
  const size = width / heads;
  const all = x.select(0, 0).matmul(layer.qkvv.weight.t());
  const outputs = Array.from({ length: heads }, (_, head) => {
    const part = (i: number) => all.narrow(1, i * width + head * size, size);
    const [q, k, channelValues, spatialValues] = [part(0), part(1), part(2), part(3)];
    const [unitQ, unitK] = [q, k].map((t) => torch.nn.functional.normalize(t, { dim: 0 })) as [Tensor, Tensor];
    const byChannel = torch.softmax(unitQ.t().matmul(unitK).div(Math.sqrt(places)), -1);
    const temperature = layer.temperature2.select(0, head);
    const byPlace = torch.softmax(unitQ.matmul(k.t().matmul(layer.EF)).mul(temperature), -1);
    return channelValues.matmul(byChannel.t()).add(byPlace.matmul(layer.EF.t().matmul(spatialValues)));
  });
  return torch.cat(outputs, { dim: 1 }).unsqueeze(0);
}

describe("paired attention", () => {
  // 4 heads of 8 share one product; 3 of 32 are three groups of one; 6 of 16 are two groups of three.
  it.each([
    [32, 4],
    [96, 3],
    [96, 6],
  ])("of %i channels in %i heads is the paper's", (width, heads) => {
    torch.scope(() => {
      torch.manualSeed(2);
      const layer = new PairedAttention({
        places: 30,
        width,
        heads,
        projected: 7,
        dropout: 0.1,
        learnedTemperature: false,
        scrambled: false,
      });
      layer.to({ dtype: "float64" }).eval();
      torch.nn.init.uniform_(layer.temperature2, 1, 20);
      torch.nn.init.normal_(layer.qkvv.weight);
      const x = torch.randn([1, 30, width], { dtype: "float64" });
      torch.noGrad(() => {
        const difference = layer
          .forward(x)
          .sub(plainAttention(layer, x, heads))
          .abs()
          .max()
          .item();
        expect(difference).toBeLessThan(1e-10);
      });
    });
  });

  it("puts the answer of a place where the place is, unless told to be compatible", () => {
    torch.scope(() => {
      const options = { places: 12, width: 8, heads: 2, projected: 3, dropout: 0, learnedTemperature: false };
      const [plain, scrambled] = [false, true].map((flag) => new PairedAttention({ ...options, scrambled: flag })) as [
        PairedAttention,
        PairedAttention,
      ];
      scrambled.loadStateDict(plain.stateDict());
      const x = torch.randn([2, 12, 8]);
      const order = torch.fromTypedArray(new Int32Array([3, 0, 7, 1, 2, 11, 10, 4, 5, 6, 9, 8]));
      const permuted = (layer: PairedAttention) =>
        torch.noGrad(() => {
          // Rows of the projection belong to places, so they move with them.
          const y = layer.forward(x).indexSelect(1, order);
          const moved = new PairedAttention({ ...options, scrambled: layer === scrambled });
          moved.loadStateDict(
            new Map([...layer.stateDict()].map(([k, v]) => [k, k === "EF" ? v.indexSelect(0, order) : v])),
          );
          return moved.forward(x.indexSelect(1, order)).sub(y).abs().max().item() as number;
        });
      expect(permuted(plain)).toBeLessThan(1e-5);
      expect(permuted(scrambled)).toBeGreaterThan(1e-3);
    });
  });
});

describe("UNetRPP", () => {
  it.each<[object, RegExp]>([
    [{ hidden_size: 100 }, /hidden_size: expected a multiple of 32, got 100/],
    [{ num_heads_encoder: 5 }, /num_heads_encoder: must divide the first stage's width, hidden_size \/ 8 = 32, got 5/],
    [{ attention_code: "flsh" }, /attention_code: .*Did you mean "flash"/],
    [{ compat: "mfia" }, /compat: .*Did you mean "mfai"/],
    [{ do_ds: true }, /do_ds: expected false, got true/],
    [{ dropout_rate: 0.2 }, /dropout_rate: .*transformer_dropout_rate/],
    [{ spatial_dims: 3 }, /spatial_dims: expected 2, got 3/],
  ])("says what is wrong with %j", (settings, message) => {
    expect(() => createNetwork("unetrpp", 3, 1, settings, [64, 64])).toThrow(message);
  });

  it("gives torch and flash the same numbers, and manual a temperature", () => {
    torch.scope(() => {
      const make = (attention_code: string) =>
        createNetwork("unetrpp", 1, 1, { ...SMALL, attention_code }, [32, 64]).eval();
      const [plain, flash, manual] = [make("torch"), make("flash"), make("manual")];
      flash.loadStateDict(plain.stateDict());
      const x = torch.randn([1, 32, 64, 1]);
      expect(plain.forward(x).equal(flash.forward(x))).toBe(true);
      expect(manual.numParameters() - plain.numParameters()).toBe(4 * 2 + 9 * 4);
    });
  });

  it("drops in training as much as is asked for", () => {
    torch.scope(() => {
      const x = torch.randn([2, 32, 64, 1]);
      const differ = (rate: number) => {
        const network = createNetwork("unetrpp", 1, 1, { ...SMALL, transformer_dropout_rate: rate }, [32, 64]);
        return !network.forward(x).equal(network.forward(x));
      };
      expect([differ(0), differ(0.1)]).toEqual([false, true]);
    });
  });

  it("says that it is made for one size", () => {
    torch.scope(() => {
      const network = createNetwork("unetrpp", 1, 1, SMALL, [32, 64]);
      expect(() => network.forward(torch.randn([1, 64, 64, 1]))).toThrow(/made for 32×64 grids.*64×64/);
    });
  });
});

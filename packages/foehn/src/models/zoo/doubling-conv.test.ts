// The up-convolution against libtorch's transposed convolution, in both memory orders, with gradients; and it keeps the order.
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { relativeDifference } from "../formula.test-support.js";
import { DoublingConv } from "./doubling-conv.js";

const [IN, OUT, SKIP] = [6, 3, 5];

describe.each(["contiguous", "channels_last"] as const)("DoublingConv, %s", (memoryFormat) => {
  const image = (shape: number[]) => torch.randn(shape).to({ memoryFormat }).requiresGrad_(true);

  it("is a transposed convolution of kernel and stride 2, joined with the skip", () => {
    torch.scope(() => {
      const layer = new DoublingConv(IN, OUT);
      const { weight, bias } = layer;
      const [x, skip] = [image([2, IN, 4, 7]), image([2, SKIP, 8, 14])];
      const inputs = [x, skip, weight, bias!];
      const cotangent = torch.randn([2, OUT + SKIP, 8, 14]);
      const results = [
        layer.concat(x, skip),
        torch.cat([layer.forward(x), skip], { dim: 1 }),
        torch.cat([torch.convTranspose2d(x.contiguous(), weight, { bias, stride: 2 }), skip], { dim: 1 }),
      ];
      const gradients = results.map((y) => {
        for (const input of inputs) input.grad = null;
        y.backward(cotangent);
        return inputs.map((input) => input.grad!.clone());
      });
      for (const i of [0, 1]) {
        expect(relativeDifference(results[i]!, results[2]!)).toBeLessThan(1e-5);
        for (const [k, gradient] of gradients[2]!.entries()) {
          expect(relativeDifference(gradients[i]![k]!, gradient)).toBeLessThan(1e-5);
        }
      }
    });
  });

  it("gives the memory order that it gets", () => {
    torch.scope(() => {
      const layer = new DoublingConv(IN, OUT);
      const [x, skip] = [image([2, IN, 4, 7]), image([2, SKIP, 8, 14])];
      for (const y of [layer.forward(x), layer.concat(x, skip)]) expect(y.isContiguous(memoryFormat)).toBe(true);
    });
  });
});

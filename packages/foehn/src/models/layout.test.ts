import * as torch from "@foehn/torch";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { catFeatures, centreCrop, centrePad, featuresLast, featuresSecond, paddedShape } from "./layout.js";

describe("layout", () => {
  it("sees features-last memory as channels last, without a copy", () => {
    torch.scope(() => {
      const x = torch.randn([2, 4, 5, 3]);
      const view = featuresSecond(x, "channels_last");
      expect(view.shape).toEqual([2, 3, 4, 5]);
      expect(view.isContiguous("channels_last")).toBe(true);
      x.fill_(7);
      expect(view.min().item()).toBe(7);
      expect(featuresSecond(x, "contiguous").isContiguous()).toBe(true);
      expect(featuresLast(view).isContiguous()).toBe(true);
    });
  });

  it.each(["contiguous", "channels_last"] as const)(
    "joins features without changing the order of memory: %s",
    (memoryFormat) => {
      torch.scope(() => {
        const parts = [2, 3, 4].map((features) => torch.randn([2, features, 4, 5]).to({ memoryFormat }));
        const joined = catFeatures(parts);
        expect(joined.isContiguous(memoryFormat)).toBe(true);
        expect(torch.equal(joined, torch.cat(parts, { dim: 1 }))).toBe(true);
      });
    },
  );

  it("crops what it padded, for every size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (height, width) =>
        torch.scope(() => {
          const x = torch.randn([1, 2, height, width]);
          const padded = centrePad(x, paddedShape([height, width], 16));
          expect(padded.shape.slice(2).map((n) => n % 16)).toEqual([0, 0]);
          expect(padded.abs().sum().item()).toBeCloseTo(x.abs().sum().item() as number, 3);
          expect(torch.equal(centreCrop(padded, [height, width]), x)).toBe(true);
        }),
      ),
      { numRuns: 60 },
    );
  });

  it("puts the smaller half of the padding first", () => {
    torch.scope(() => {
      const padded = centrePad(torch.ones([1, 1, 1, 1]), [4, 2]);
      expect(padded.toArray()).toEqual([
        [
          [
            [0, 0],
            [1, 0],
            [0, 0],
            [0, 0],
          ],
        ],
      ]);
    });
  });
});

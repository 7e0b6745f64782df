import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Network } from "./network.js";
import { createNetwork, NetworkRegistry, networks } from "./registry.js";
import { Persistence } from "./zoo/persistence.js";

describe("registry of networks", () => {
  it("knows the zoo and forgives case and dashes", () => {
    expect(networks.list().map((network) => network.modelName)).toEqual(
      expect.arrayContaining(["halfunet", "persistence"]),
    );
    expect(networks.get("HalfUNet")).toBe(networks.get("half-unet"));
  });

  it("names the nearest model", () => {
    expect(() => networks.get("halfunt")).toThrow(
      expect.objectContaining({ code: "usage", hint: expect.stringContaining('"halfunet"') }),
    );
  });

  it("refuses two networks of one name", () => {
    class Other extends Network {
      static readonly modelName = "Persistence";
      static readonly modelType = "identity" as const;
      static readonly onnxSupported = false;
      static readonly settings = z.strictObject({});
      override forward(x: torch.Tensor): torch.Tensor {
        return x;
      }
    }
    const registry = new NetworkRegistry();
    registry.register(Persistence);
    registry.register(Persistence);
    expect(() => registry.register(Other)).toThrow(/Persistence and Other/);
  });

  it("makes persistence: zero increments, no weights", () => {
    torch.scope(() => {
      const network = createNetwork("persistence", 7, 3, undefined, [4, 6]);
      const y = network.forward(torch.randn([2, 4, 6, 7]));
      expect(y.shape).toEqual([2, 4, 6, 3]);
      expect(y.abs().max().item()).toBe(0);
      expect(network.parameters()).toEqual([]);
    });
  });
});

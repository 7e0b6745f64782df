import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { ModelFeatures } from "../../datasets/features.js";
import { manifestSchema } from "../../hub/manifest.js";
import { unrollOptions } from "../options/unroll.js";
import { parseTrainOptions } from "../options.js";
import { DiffAr } from "./diff-ar.js";
import { DownscalingOnly } from "./downscaling-only.js";
import { createStrategy, strategies } from "./registry.js";
import { ScaledAr } from "./scaled-ar.js";
import { type StateUpdate, Strategy } from "./strategy.js";

/** ŝ = factor · y. */
class Direct extends Strategy<{ readonly factor: number }> {
  static readonly strategyName = "direct";
  static readonly summary = "the output is the state";
  static readonly settings = z.strictObject({ factor: z.number().default(1) });
  override readonly forcesBorder = false;
  override update({ output }: StateUpdate) {
    return output.mul(this.settings.factor);
  }
}

describe("the registry of strategies", () => {
  it("makes a new one known to options and packages, settings and all", () => {
    const manifest = { in_channels_names: ["t2m"], strategy: "direct", strategy_settings: { factor: 2 } };
    expect(() => parseTrainOptions({ strategy: "direct" })).toThrow(/unknown strategy/);
    expect(manifestSchema.safeParse(manifest).success).toBe(false);
    strategies.register(Direct);
    strategies.register(Direct);
    expect(parseTrainOptions({ strategy: "direct" }).strategy_settings).toEqual({ factor: 1 });
    expect(manifestSchema.parse(manifest)).toMatchObject(manifest);
    expect(createStrategy("direct", { factor: 3 })).toMatchObject({ name: "direct", settings: { factor: 3 } });
    expect(strategies.list().map((strategy) => strategy.strategyName)).toContain("direct");
  });

  it("refuses unknown names, settings and a name that is taken", () => {
    expect(() => createStrategy("scaledar")).toThrow(
      expect.objectContaining({
        code: "usage",
        hint: expect.stringMatching(/Did you mean "scaled_ar"\?.*downscaling_only/),
      }),
    );
    expect(() => createStrategy("direct", { facto: 2 })).toThrow(
      /strategy_settings of direct facto: unknown key. Did you mean "factor"/,
    );
    class Other extends Direct {}
    expect(() => strategies.register(Other)).toThrow(/two strategies are called "direct": Direct and Other/);
  });
});

describe("docs/guides/forecast-steps.md", () => {
  const root = new URL("../../../../../", import.meta.url);
  const page = readFileSync(new URL("docs/guides/forecast-steps.md", root), "utf8");

  it("has a strategy of one's own that works", async () => {
    const example = new URL("examples/library/damped-strategy.ts", root);
    expect(page).toContain(readFileSync(example, "utf8"));
    await import(fileURLToPath(example));
    expect(createStrategy("damped_ar", { damping: 0.5 })).toMatchObject({
      settings: { damping: 0.5 },
      usesStates: true,
    });
    expect(() => createStrategy("damped_ar", { damping: 2 })).toThrow(/damping/);
  });

  it("names every strategy, its settings, and every option of the unrolled forecast", () => {
    for (const { strategyName, settings } of [ScaledAr, DiffAr, DownscalingOnly]) {
      const keys = Object.keys(z.toJSONSchema(settings, { io: "input" }).properties ?? {});
      for (const name of [strategyName, ...keys]) expect(page).toContain(name);
    }
    for (const name of Object.keys(unrollOptions)) expect(page).toContain(`\`${name}\``);
  });
});

describe("downscaling_only finds the forcing that is the same quantity", () => {
  const match = (prognostic: string[], readForcing: string[], common_features: Record<string, string> = {}) => {
    const features: ModelFeatures = { prognostic, diagnostic: [], statics: [], forcing: readForcing, readForcing };
    return new DownscalingOnly({ common_features }).commonFeatures(features).map((i) => readForcing[i]);
  };

  it("by the name without its first part, by the catalogue, or as it is told", () => {
    const coarse = ["arp_u10_10m", "arp_t2m_2m", "arp_z_500"];
    expect(match(["aro_t2m_2m", "aro_u10_10m"], coarse)).toEqual(["arp_t2m_2m", "arp_u10_10m"]);
    expect(match(["t2m", "z500"], ["gfs_2t", "gfs_z_500"])).toEqual(["gfs_2t", "gfs_z_500"]);
    // The whole name is nearer than its end.
    expect(match(["aro_t2m"], ["t2m", "arp_t2m"])).toEqual(["t2m"]);
    expect(match(["rain"], coarse, { rain: "arp_z_500" })).toEqual(["arp_z_500"]);
  });

  it.each([
    [["t2m", "msl"], ["arp_t2m"], {}, /nothing for msl/],
    [["t2m"], ["arp_t2m", "gfs_t2m"], {}, /several for t2m \(arp_t2m, gfs_t2m\)/],
    [["u_10m", "v_10m"], ["w_10m"], {}, /w_10m for both u_10m and v_10m/],
    [["t2m"], [], {}, /nothing for t2m/],
    [["t2m"], ["arp_t2m"], { t2m: "arp_tt2m" }, /no forcing "arp_tt2m"/],
    [["t2m"], ["arp_t2m"], { msl: "arp_t2m" }, /no prognostic feature "msl"/],
  ])("and names what is missing or ambiguous: %j from %j", (prognostic, forcing, given, message) => {
    expect(() => match(prognostic, forcing, given as Record<string, string>)).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringMatching(message) }),
    );
  });
});

import { describe, expect, it } from "vitest";
import { normaliseArguments } from "./command-line.js";
import { translateFlags } from "./py4cast-flags.js";

describe("arguments", () => {
  it("may have underscores for dashes in long flags, and only there", () => {
    expect(normaliseArguments(["train", "--dataset_conf", "my_data.yaml", "--num_pred_steps_train=2"])).toEqual([
      "train",
      "--dataset-conf",
      "my_data.yaml",
      "--num-pred-steps-train=2",
    ]);
    expect(normaliseArguments(["train", "--model-settings", "num_filters=8", "--run_name=a_b"])).toEqual([
      "train",
      "--model-settings",
      "num_filters=8",
      "--run-name=a_b",
    ]);
    expect(normaliseArguments(["forecast", "-n", "4", "--", "--my_file"])).toEqual([
      "forecast",
      "-n",
      "4",
      "--",
      "--my_file",
    ]);
  });

  it("of foehn train may be py4cast's short words", () => {
    expect(normaliseArguments(["train", "-cn", "camp0", "-rn", "r"])).toEqual([
      "train",
      "--campaign-name",
      "camp0",
      "--run-name",
      "r",
    ]);
    expect(normaliseArguments(["score", "-cn"])).toEqual(["score", "-cn"]);
  });
});

describe("py4cast's flags", () => {
  const translate = (flags: Record<string, unknown>) => {
    const warnings: string[] = [];
    return { flags: translateFlags(flags, (line) => warnings.push(line)), warnings };
  };

  it("mean what they meant", () => {
    expect(translate({ devMode: true, log: false, loadModelCkpt: "a.ckpt" }).flags).toEqual({
      epochs: 3,
      limitTrainBatches: 3,
      limitValBatches: 3,
      trackers: [],
      loadWeights: "a.ckpt",
    });
    expect(translate({ devMode: true, epochs: 5 }).flags).toMatchObject({ epochs: 5, limitTrainBatches: 3 });
    expect(translate({ useLrScheduler: true, accumulateGradBatches: 10 }).flags).toMatchObject({
      scheduler: "cosine",
      warmupSteps: 100,
    });
    expect(translate({ resumeFromCkpt: "runs/a/checkpoints/last" }).flags).toEqual({ resume: "runs/a" });
    expect(translate({ mlflowLog: true }).flags).toEqual({ trackers: ["tensorboard", "mlflow"] });
    expect(translate({ log: true, precision: "auto" })).toEqual({ flags: { precision: "auto" }, warnings: [] });
  });

  it.each([
    ["32", "fp32", 0],
    ["32-true", "fp32", 0],
    ["bf16", "bf16-mixed", 0],
    ["16-mixed", "bf16-mixed", 1],
  ])("take precision %s as %s", (given, own, warnings) => {
    const result = translate({ precision: given });
    expect(result.flags).toEqual({ precision: own });
    expect(result.warnings).toHaveLength(warnings);
  });

  it("are refused where there is nothing like it", () => {
    expect(() => translate({ precision: "64-true" })).toThrow(/expected one of auto, fp32, bf16-mixed, got "64-true"/);
  });
});

// Settings of Segformer: mfai's names and defaults. A single value stands for all four stages.

import { z } from "zod";

/** Stages of the encoder. */
export const STAGES = 4;

/** One value for each stage. */
export type PerStage = readonly [number, number, number, number];

const count = z.int().positive();
const perStage = z.union([count, z.tuple([count, count, count, count])]);

/** Schema of `Segformer`'s settings. */
export const segformerSettings = z
  .strictObject({
    dims: perStage.default([32, 64, 160, 256]).describe("width of each stage"),
    heads: perStage.default([1, 2, 5, 8]).describe("attention heads of each stage; they divide its width"),
    ff_expansion: perStage
      .default([8, 8, 4, 4])
      .describe("hidden width of each stage's feed-forward, as a multiple of its width"),
    kernel_and_stride: perStage
      .default([8, 4, 2, 1])
      .describe("each stage's keys and values stand for squares of this side"),
    reduction_ratio: perStage.optional().describe("py4cast's name of kernel_and_stride"),
    num_layers: perStage.default([2, 2, 2, 2]).describe("transformer layers of each stage"),
    decoder_dim: z
      .int()
      .positive()
      .multipleOf(4)
      .default(256)
      .describe("width to which the stages are brought before they are fused; divides by 4"),
    num_downsampling_chans: count.default(32).describe("width of the convolutions in front of the first stage"),
    autopad_enabled: z
      .boolean()
      .default(true)
      .describe("centre-pad sizes that are no multiple of 64 with zeros, and crop the output"),
  })
  .superRefine((settings, context) => {
    const dims = eachStage(settings.dims);
    for (const [stage, heads] of eachStage(settings.heads).entries()) {
      if (dims[stage]! % heads === 0) continue;
      const path = typeof settings.heads === "number" ? ["heads"] : ["heads", stage];
      context.addIssue({ code: "custom", path, message: `must divide the stage's width ${dims[stage]}` });
    }
  });

/** Settings of `Segformer`. */
export type SegformerSettings = z.infer<typeof segformerSettings>;

/** A value for each stage, from one for all or from four. */
export function eachStage(value: number | PerStage): PerStage {
  return typeof value === "number" ? [value, value, value, value] : value;
}

// Settings of SwinUNetR: mfai's names and defaults, which are MONAI's.

import { z } from "zod";
import { normName } from "../norm-name.js";

const count = z.int().positive();
const probability = z.number().min(0).max(1).default(0);

/** Schema of `SwinUNetR`'s settings. */
export const swinUNetRSettings = z
  .strictObject({
    depths: z.tuple([count, count, count, count]).default([2, 2, 2, 2]).describe("transformer blocks of each stage"),
    num_heads: z.tuple([count, count, count, count]).default([3, 6, 12, 24]).describe("attention heads of each stage"),
    feature_size: z
      .int()
      .positive()
      .multipleOf(12)
      .default(24)
      .describe("width of the first stage; each further one has twice as much; divides by 12"),
    norm_name: normName
      .default("instance")
      .describe('normalisation of the convolutions: "instance", "batch" or ["group", {"num_groups": 4}]'),
    drop_rate: probability.describe("dropout of tokens and feed-forwards"),
    attn_drop_rate: probability.describe("dropout of attention weights"),
    dropout_path_rate: probability.describe("stochastic depth of the last block; earlier ones have less"),
    normalize: z.boolean().default(true).describe("normalise what each stage hands to the decoder"),
    use_checkpoint: z
      .literal(false, {
        error: "is not available: to save memory, checkpoint the steps of the rollout instead (--checkpoint-steps)",
      })
      .default(false)
      .describe("kept for old files: only false"),
    downsample: z
      .enum(["merging", "mergingv2"])
      .default("merging")
      .describe("how stages shrink; in two dimensions both are the same"),
    use_v2: z.boolean().default(false).describe("a residual convolution block before each stage (Swin UNETR v2)"),
    autopad_enabled: z
      .boolean()
      .default(true)
      .describe("centre-pad sizes that are no multiple of 32 with zeros, and crop the output"),
  })
  .superRefine(({ feature_size, num_heads }, context) => {
    for (const [stage, heads] of num_heads.entries()) {
      const width = feature_size * 2 ** stage;
      if (width % heads === 0) continue;
      context.addIssue({
        code: "custom",
        path: ["num_heads", stage],
        message: `must divide the stage's width ${width}`,
      });
    }
  });

/** Settings of `SwinUNetR`. */
export type SwinUNetRSettings = z.infer<typeof swinUNetRSettings>;

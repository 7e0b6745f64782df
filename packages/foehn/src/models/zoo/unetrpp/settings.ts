// Settings of UNetRPP: mfai's names and defaults, and `compat`.

import { z } from "zod";
import { normName } from "../norm-name.js";

const count = z.int().positive();

/** Schema of `UNetRPP`'s settings. */
export const unetRPPSettings = z
  .strictObject({
    hidden_size: z
      .int()
      .positive()
      .multipleOf(32)
      .default(256)
      .describe("width of the last stage; each earlier one has half; divides by 32"),
    num_heads_encoder: count.default(4).describe("attention heads in the encoder"),
    num_heads_decoder: count.default(4).describe("attention heads in the decoder"),
    pos_embed: z
      .enum(["perceptron", "conv"])
      .default("perceptron")
      .describe("taken so that the reference's settings load; position embeddings are learned either way"),
    norm_name: normName
      .default("instance")
      .describe('normalisation at full resolution: "instance", "batch" or ["group", {"num_groups": 4}]'),
    dropout_rate: z
      .literal(0, { error: "has no effect in the reference: set transformer_dropout_rate" })
      .default(0)
      .describe("kept for old files: only 0"),
    transformer_dropout_rate: z
      .number()
      .min(0)
      .lt(1)
      .default(0.1)
      .describe(
        "dropout in training of attention weights and of the channels behind them; fixed at 0.1 in the reference",
      ),
    depths: z.tuple([count, count, count, count]).default([3, 3, 3, 3]).describe("transformer blocks of each stage"),
    conv_op: z.literal("Conv2d").default("Conv2d").describe("kind of convolution"),
    do_ds: z.literal(false).default(false).describe("deep supervision: not offered, as in the reference's files"),
    spatial_dims: z.literal(2).default(2).describe("dimensions of the grid"),
    linear_upsampling: z
      .boolean()
      .default(false)
      .describe("upsample bilinearly, then convolve, instead of transposed convolutions"),
    downsampling_rate: count.default(4).describe("side of the first patches, in cells"),
    decoder_proj_size: count.default(64).describe("places to which spatial attention in the decoder projects the grid"),
    encoder_proj_sizes: z
      .tuple([count, count, count, count])
      .default([64, 64, 64, 32])
      .describe("the same for each stage of the encoder"),
    add_skip_connections: z.boolean().default(true).describe("add the encoder's maps to the decoder's"),
    attention_code: z
      .enum(["torch", "flash", "manual"])
      .default("torch")
      .describe("scale of channel attention: 1/√cells, or with manual a learned temperature for each head"),
    compat: z
      .enum(["none", "mfai"])
      .default("none")
      .describe("mfai: mix up the places of spatial attention as the reference does, for weights trained there"),
    autopad_enabled: z
      .boolean()
      .default(true)
      .describe("centre-pad sizes that are no multiple of 8 × downsampling_rate with zeros, and crop the output"),
  })
  .superRefine((settings, context) => {
    const narrowest = settings.hidden_size / 8;
    for (const key of ["num_heads_encoder", "num_heads_decoder"] as const) {
      if (narrowest % settings[key] === 0) continue;
      const message = `must divide the first stage's width, hidden_size / 8 = ${narrowest}`;
      context.addIssue({ code: "custom", path: [key], message });
    }
  });

/** Settings of `UNetRPP`. */
export type UNetRPPSettings = z.infer<typeof unetRPPSettings>;

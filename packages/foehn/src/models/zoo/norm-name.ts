// Normalisation by name, as MONAI's blocks take it: "instance", "batch", or a name with arguments such as ["group", {"num_groups": 4}].

import { nn } from "@foehn/torch";
import { z } from "zod";

const common = { eps: z.number().positive().optional(), affine: z.boolean().optional() };

/** Schema of a setting that names a normalisation. */
export const normName = z.union([
  z.enum(["instance", "batch"]),
  z.tuple([z.enum(["instance", "batch"]), z.strictObject(common)]),
  z.tuple([z.literal("group"), z.strictObject({ num_groups: z.int().positive(), ...common })]),
]);

/** A normalisation and its arguments. Left out, `affine` is false for "instance" and true for the others. */
export type NormName = z.infer<typeof normName>;

/** The layer of a name, for (B, width, H, W). */
export function normNamed(norm: NormName, width: number): nn.UnaryModule {
  if (typeof norm === "string") return normNamed([norm, {}], width);
  const [, { eps, affine }] = norm;
  const options = { ...(eps !== undefined && { eps }), ...(affine !== undefined && { affine }) };
  switch (norm[0]) {
    case "instance":
      return new nn.InstanceNorm2d(width, options);
    case "batch":
      return new nn.BatchNorm2d(width, options);
    case "group":
      return new nn.GroupNorm(norm[1].num_groups, width, options);
  }
}

/** True for a normalisation over the places of each sample, which one place alone cannot have. */
export const isInstanceNorm = (norm: NormName): boolean => (typeof norm === "string" ? norm : norm[0]) === "instance";

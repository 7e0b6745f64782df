// Settings that all graph networks of the zoo share, with the names and defaults of mfai's and py4cast's `GraphLamSettings`.

import { z } from "zod";
import { meshCompats } from "../../grid/mesh/mesh.js";

/** The keys of the schema. */
export const graphSettingsShape = {
  hidden_dims: z.int().positive().default(64).describe("width of node and edge states"),
  hidden_layers: z.int().nonnegative().default(1).describe("hidden layers of every perceptron"),
  processor_layers: z.int().positive().default(4).describe("rounds of messages on the mesh"),
  mesh_aggr: z
    .enum(["sum", "mean"])
    .default("sum")
    .describe("how graphlam's processor joins messages into one node; elsewhere they are summed, as in the reference"),
  mesh_levels: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("at most so many levels, from the finest; null: all that fit"),
  mesh_file: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("a mesh file, or a graph folder of neural-lam or mfai; null: the mesh is built from the grid"),
  compat: z
    .enum(meshCompats)
    .default("none")
    .describe("for weights trained in py4cast or mfai: the mesh and the index shift they had, on these coordinates"),
  tmp_dir: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("folder where built meshes are kept between runs; null: the cache folder (FOEHN_CACHE)"),
  use_checkpointing: z
    .literal(false, {
      error: "is not available: to save memory, checkpoint the steps of the rollout instead (--checkpoint-steps)",
    })
    .default(false)
    .describe("kept for old files: only false"),
  offload_to_cpu: z
    .literal(false, { error: "is not available: activations stay on the device" })
    .default(false)
    .describe("kept for old files: only false"),
};

/** The schema. */
export const graphSettings = z.strictObject(graphSettingsShape);
/** Settings of a graph network. */
export type GraphSettings = z.infer<typeof graphSettings>;

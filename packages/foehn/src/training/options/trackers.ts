// Options of training: who follows a run besides its own metrics.jsonl.

import { z } from "zod";

/** Values of `--trackers`. */
export const trackerNames = ["tensorboard", "mlflow"] as const;

const name = () => z.string().min(1).nullable().default(null);

/** Keys of `trainOptionsSchema`. */
export const trackerOptions = {
  trackers: z.array(z.enum(trackerNames)).default(["tensorboard"]).describe("who follows the run"),
  mlflow_uri: name().describe("MLflow server; default: MLFLOW_TRACKING_URI"),
  mlflow_experiment: name().describe("default: MLFLOW_EXPERIMENT_NAME, else foehn"),
  registered_model: name().describe("register the package in MLflow as a version of this model"),
};

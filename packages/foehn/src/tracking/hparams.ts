// Records of TensorBoard's hparams plugin: which hyper-parameters and metrics an experiment has, the values of one run, how it ended.
// Messages of plugins/hparams/plugin_data.proto and api.proto. With them the HPARAMS tab compares runs in a table.
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { doubleField, message, stringField, varintField } from "./event-messages.js";

export type HparamValue = string | number | boolean;

/** Tags under which TensorBoard looks for the records. */
export const hparamTags = {
  experiment: "_hparams_/experiment",
  start: "_hparams_/session_start_info",
  end: "_hparams_/session_end_info",
} as const;

export type SessionStatus = "success" | "failure" | "running";

const statusCodes = { success: 1, failure: 2, running: 3 } as const;

/** HParamsPluginData.experiment: names and types of the hyper-parameters, tags of the metrics to show. */
export function encodeExperiment(
  hparams: Readonly<Record<string, HparamValue>>,
  metricTags: readonly string[],
  time: number,
): Uint8Array {
  const writer = new BinaryWriter();
  message(writer, 2, (experiment) => {
    doubleField(experiment, 3, time);
    for (const [name, value] of Object.entries(hparams)) {
      message(experiment, 4, (info) => {
        stringField(info, 1, name);
        varintField(info, 4, typeof value === "string" ? 1 : typeof value === "boolean" ? 2 : 3);
      });
    }
    for (const tag of metricTags)
      message(experiment, 5, (info) => message(info, 1, (metric) => stringField(metric, 2, tag)));
  });
  return writer.finish();
}

/** HParamsPluginData.session_start_info: the values of this run. `group` joins the repeats of one setting. */
export function encodeSessionStart(
  hparams: Readonly<Record<string, HparamValue>>,
  group: string,
  time: number,
): Uint8Array {
  const writer = new BinaryWriter();
  message(writer, 3, (start) => {
    for (const [name, value] of Object.entries(hparams)) {
      // A map entry: key 1, value 2 (google.protobuf.Value: number 2, string 3, bool 4).
      message(start, 1, (entry) => {
        stringField(entry, 1, name);
        message(entry, 2, (v) => {
          if (typeof value === "number") doubleField(v, 2, value);
          else if (typeof value === "string") stringField(v, 3, value);
          else varintField(v, 4, value ? 1 : 0);
        });
      });
    }
    stringField(start, 4, group);
    doubleField(start, 5, time);
  });
  return writer.finish();
}

/** HParamsPluginData.session_end_info. */
export function encodeSessionEnd(status: SessionStatus, time: number): Uint8Array {
  const writer = new BinaryWriter();
  message(writer, 4, (end) => {
    varintField(end, 1, statusCodes[status]);
    doubleField(end, 2, time);
  });
  return writer.finish();
}

/** Flattens nested settings into `a/b` names; lists become text, null and undefined are left out. */
export function flattenHparams(settings: Readonly<Record<string, unknown>>, prefix = ""): Record<string, HparamValue> {
  const flat: Record<string, HparamValue> = {};
  for (const [key, value] of Object.entries(settings)) {
    const name = prefix === "" ? key : `${prefix}/${key}`;
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") flat[name] = value;
    else if (Array.isArray(value)) flat[name] = JSON.stringify(value);
    else if (value !== null && typeof value === "object") {
      Object.assign(flat, flattenHparams(value as Record<string, unknown>, name));
    }
  }
  return flat;
}

// Published models that Foehn loads (forecast/auto-models/).

import { channelSet } from "../../variables/channel-sets.js";
import { fengwuChannels, fuxiChannels } from "../published-channels.js";
import { byNcSa, hour, ngc, quarter, type Row } from "./row.js";

const earthAi = (folder: string): string => `hf://NickGeneva/earth_ai/${folder}`;

const pangu = {
  uri: earthAi("pangu"),
  license: byNcSa,
  grid: quarter,
  channels: channelSet("var_pangu"),
} satisfies Partial<Row>;

export const loadable: readonly Row[] = [
  {
    name: "persistence",
    aliases: ["Persistence"],
    title: "Persistence: the initial condition, for ever",
    uri: "builtin://persistence",
    license: "Apache-2.0",
    stepSeconds: 6 * hour,
  },
  {
    name: "fcn",
    aliases: ["FCN"],
    title: "FourCastNet (AFNO)",
    uri: "hf://nvidia/fourcastnet1@c67a63995f6c8e0e557eb3d791f32f437e9b02d5",
    grid: "720x1440",
    stepSeconds: 6 * hour,
    channels: channelSet("var26"),
    files: ["fcn.mdlus", "global_means.npy", "global_stds.npy"],
  },
  {
    name: "pangu",
    aliases: ["Pangu6"],
    title: "Pangu-Weather, 24 h and 6 h interleaved",
    ...pangu,
    stepSeconds: 6 * hour,
    files: ["pangu_weather_24.onnx", "pangu_weather_6.onnx"],
  },
  {
    name: "pangu_24",
    aliases: ["Pangu24"],
    title: "Pangu-Weather, 24 h steps",
    ...pangu,
    stepSeconds: 24 * hour,
    files: ["pangu_weather_24.onnx"],
  },
  {
    name: "pangu_6",
    title: "Pangu-Weather, 6 h steps",
    ...pangu,
    stepSeconds: 6 * hour,
    files: ["pangu_weather_6.onnx"],
  },
  {
    name: "pangu_3",
    aliases: ["Pangu3"],
    title: "Pangu-Weather, 24 h, 6 h and 3 h interleaved",
    ...pangu,
    stepSeconds: 3 * hour,
    files: ["pangu_weather_24.onnx", "pangu_weather_6.onnx", "pangu_weather_3.onnx"],
  },
  {
    name: "pangu_1",
    title: "Pangu-Weather, 24 h, 6 h, 3 h and 1 h interleaved",
    ...pangu,
    stepSeconds: hour,
    files: ["pangu_weather_24.onnx", "pangu_weather_6.onnx", "pangu_weather_3.onnx", "pangu_weather_1.onnx"],
  },
  {
    name: "fuxi",
    aliases: ["FuXi"],
    title: "FuXi: three networks for days 1–5, 6–10 and 11–15",
    uri: earthAi("fuxi"),
    grid: quarter,
    stepSeconds: 6 * hour,
    history: 2,
    channels: fuxiChannels,
    files: ["short.onnx", "short", "medium.onnx", "medium", "long.onnx", "long"],
  },
  {
    name: "fengwu",
    aliases: ["FengWu"],
    title: "FengWu, 13 levels",
    uri: earthAi("fengwu"),
    grid: quarter,
    stepSeconds: 6 * hour,
    history: 2,
    channels: fengwuChannels,
    files: ["fengwu_v1.onnx", "global_means.npy", "global_stds.npy"],
  },
  {
    name: "dlwp",
    aliases: ["DLWP"],
    title: "DLWP on the cubed sphere",
    uri: ngc("modulus/modulus_dlwp_cubesphere@v0.2"),
    grid: quarter,
    stepSeconds: 6 * hour,
    history: 2,
    channels: channelSet("dlwp"),
    files: ["dlwp_cubesphere.zip"],
  },
];

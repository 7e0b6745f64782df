// The catalogue of published models: where their weights are, what they work on, and whether Foehn loads them. Plain data; nothing here
// reads a file or the network. Addresses and pins are the default packages of NVIDIA Earth2Studio (its `load_default_package` methods, 2026)
// and earth2mip; licences are those that the publishers' own pages state, left out where that was not seen.
// Not here: the loaders, which are in forecast/auto-models/.

import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { channelSet } from "../variables/channel-sets.js";
import { fengwuChannels, fuxiChannels } from "./published-channels.js";

/** What a model does. */
export type PublishedKind = "prognostic" | "diagnostic" | "assimilation";

/** A published model. */
export interface PublishedModel {
  /** Name in `builtin://name`. */
  readonly name: string;
  /** Names in other systems: the class in Earth2Studio, `e2mip://` names. */
  readonly aliases: readonly string[];
  readonly title: string;
  readonly kind: PublishedKind;
  /** Default package; pinned to a commit or version where the publisher has such. */
  readonly uri: string;
  /** SPDX identifier or the publisher's words; undefined where unknown here: look at the publisher's page. */
  readonly license: string | undefined;
  readonly grid: string | undefined;
  /** Seconds between two states of its forecast. */
  readonly stepSeconds: number | undefined;
  /** States that it starts from, the newest included, and the seconds between them. */
  readonly history: number;
  readonly channels: readonly string[] | undefined;
  /** Files that loading reads, relative to the package. */
  readonly files: readonly string[];
  /** Why Foehn cannot load it; undefined where it can. */
  readonly notLoadable: string | undefined;
}

type Row = Pick<PublishedModel, "name" | "title" | "uri"> & Partial<PublishedModel>;

const python = (what: string): string => `its network (${what}) is not among Foehn's`;
const hour = 3600;
const quarter = "721x1440";
const byNcSa = "CC-BY-NC-SA-4.0";
const ngc = (path: string): string => `ngc://models/nvidia/${path}`;
const earthAi = (folder: string): string => `hf://NickGeneva/earth_ai/${folder}`;

const pangu = {
  uri: earthAi("pangu"),
  license: byNcSa,
  grid: quarter,
  channels: channelSet("var_pangu"),
} satisfies Partial<PublishedModel>;

const rows: readonly Row[] = [
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
  {
    name: "fcnv2_sm",
    aliases: ["SFNO"],
    title: "FourCastNet v2 small (SFNO)",
    uri: ngc("modulus/sfno_73ch_small@0.1.0"),
    grid: quarter,
    stepSeconds: 6 * hour,
    channels: channelSet("var73"),
    notLoadable: python("spherical Fourier neural operator"),
  },
  {
    name: "fcn3",
    aliases: ["FCN3"],
    title: "FourCastNet 3",
    uri: "hf://nvidia/fourcastnet3@76ef0c60237e458b33196ba027134e27f3fc4538",
    license: "Apache-2.0",
    grid: quarter,
    stepSeconds: 6 * hour,
    notLoadable: python("spherical neural operator with local convolutions"),
  },
  ...[
    ["graphcast", [], "GraphCast, 37 levels", "graphcast"],
    ["graphcast_operational", ["GraphCastOperational"], "GraphCast, operational", "graphcast"],
    ["graphcast_small", ["GraphCastSmall"], "GraphCast, 1°", "graphcast"],
    ["gencast_mini", ["GenCastMini"], "GenCast, 1°", "gencast"],
  ].map(([name, aliases, title, folder]) => ({
    name: name as string,
    aliases: aliases as string[],
    title: title as string,
    uri: `gs://dm_graphcast/${folder}`,
    ...(folder === "graphcast"
      ? { license: byNcSa, stepSeconds: 6 * hour, history: 2 }
      : { stepSeconds: 12 * hour, history: 2 }),
    notLoadable: "its weights are JAX parameters for DeepMind's own network",
  })),
  {
    name: "aifs",
    aliases: ["AIFS"],
    title: "ECMWF AIFS single 1.1",
    uri: "hf://ecmwf/aifs-single-1.1",
    stepSeconds: 6 * hour,
    history: 2,
    notLoadable: "its checkpoint is a pickle of Python objects, which is never executed",
  },
  {
    name: "aifs2",
    aliases: ["AIFS2"],
    title: "ECMWF AIFS single 2.0",
    uri: "hf://ecmwf/aifs-single-2.0@08286fc247419bc40666226c816ad4ac686d2a8b",
    stepSeconds: 6 * hour,
    history: 2,
    notLoadable: "its checkpoint is a pickle of Python objects, which is never executed",
  },
  {
    name: "aifs_ens",
    aliases: ["AIFSENS"],
    title: "ECMWF AIFS ensemble 1.0",
    uri: "hf://ecmwf/aifs-ens-1.0",
    stepSeconds: 6 * hour,
    history: 2,
    notLoadable: "its checkpoint is a pickle of Python objects, which is never executed",
  },
  {
    name: "aifs2_ens",
    aliases: ["AIFS2ENS"],
    title: "ECMWF AIFS ensemble 2.0",
    uri: "hf://ecmwf/aifs-ens-2.0@29a1f8c4ab76cd0e5b64cfd415f4ff9e08edf7cf",
    stepSeconds: 6 * hour,
    history: 2,
    notLoadable: "its checkpoint is a pickle of Python objects, which is never executed",
  },
  {
    name: "aurora",
    aliases: ["Aurora"],
    title: "Microsoft Aurora",
    uri: "hf://microsoft/aurora@refs%2Fpr%2F1",
    stepSeconds: 6 * hour,
    history: 2,
    notLoadable: python("Perceiver and 3D Swin transformer"),
  },
  {
    name: "aurora1p5",
    aliases: ["Aurora1p5"],
    title: "Microsoft Aurora 1.5",
    uri: "hf://microsoft/aurora@c171214768997594e1a3fc6b8d9bbb489e9d21ab",
    stepSeconds: 6 * hour,
    history: 2,
    notLoadable: python("Perceiver and 3D Swin transformer"),
  },
  {
    name: "aurora1p5_ens",
    aliases: ["Aurora1p5Ensemble"],
    title: "Microsoft Aurora 1.5, ensemble",
    uri: "hf://microsoft/aurora@c171214768997594e1a3fc6b8d9bbb489e9d21ab",
    stepSeconds: 6 * hour,
    history: 2,
    notLoadable: python("Perceiver and 3D Swin transformer"),
  },
  {
    name: "ace2",
    aliases: ["ACE2ERA5"],
    title: "ACE2-ERA5",
    uri: "hf://allenai/ACE2-ERA5",
    stepSeconds: 6 * hour,
    notLoadable: python("spherical Fourier neural operator"),
  },
  {
    name: "samudrace",
    aliases: ["SamudrACE"],
    title: "SamudrACE, CM4 pre-industrial control",
    uri: "hf://allenai/SamudrACE-CM4-piControl@48567c80676de7db51d270c8c0c5dd61f08c9f39",
    notLoadable: python("coupled ocean and atmosphere emulators"),
  },
  {
    name: "atlas",
    aliases: ["Atlas"],
    title: "Atlas-ERA5",
    uri: "hf://nvidia/atlas-era5@fdce0480c5e6f03d409089bf285f4bcc1d84519e",
    stepSeconds: 6 * hour,
    history: 2,
    notLoadable: python("latent diffusion transformer"),
  },
  {
    name: "dlesym",
    aliases: ["DLESyM", "DLESyMLatLon"],
    title: "DLESyM, coupled, HEALPix",
    uri: "hf://nvidia/dlesym-v1-era5@b88155cfc2c988a2a9058d5e35a41220e2b01941",
    notLoadable: python("HEALPix UNet"),
  },
  {
    name: "dlesym_v0",
    aliases: ["DLESyMv0_ISCCP_ERA5", "DLESyMv0_ISCCP_ERA5LatLon"],
    title: "DLESyM v0, ISCCP and ERA5",
    uri: "hf://nvidia/dlesym-v0-isccp-era5@924b2d62644ef61289dd960e018f60d6e067bfca",
    notLoadable: python("HEALPix UNet"),
  },
  {
    name: "interp_modafno",
    aliases: ["InterpModAFNO"],
    title: "Interpolation of 6 h steps to hours (ModAFNO)",
    uri: ngc("earth-2/afno_dx_fi-v1-era5@v0.1.0"),
    grid: "720x1440",
    stepSeconds: hour,
    notLoadable: python("modulated AFNO"),
  },
  {
    name: "stormcast",
    aliases: ["StormCast"],
    title: "StormCast, HRRR over ERA5",
    uri: "hf://nvidia/stormcast-v1-era5-hrrr@6c89a0877a0d6b231033d3b0d8b9828a6f833ed8",
    stepSeconds: hour,
    notLoadable: python("diffusion UNet"),
  },
  {
    name: "stormcast_conus",
    aliases: ["StormCastCONUS"],
    title: "StormCast, contiguous United States",
    uri: "hf://nvidia/stormcast-conus@bc8dd783f96fe0fa75fcff5bb67f66b549a5299f",
    stepSeconds: hour,
    notLoadable: python("diffusion UNet"),
  },
  {
    name: "stormscope",
    aliases: ["StormScopeBase", "StormScopeGOES", "StormScopeMRMS"],
    title: "StormScope, satellite and radar",
    uri: "hf://nvidia/stormscope-goes-mrms@62f0fd2fa52c3cff67c931daac18cdc0d9f58d2a",
    notLoadable: python("diffusion transformer"),
  },
  {
    name: "cbottle_video",
    aliases: ["CBottleVideo"],
    title: "Climate in a Bottle, video",
    uri: "hf://nvidia/cbottle@eebd93c85b3cd3a5a8f79c546ed917b0b80438f4",
    notLoadable: python("HEALPix diffusion"),
  },
  {
    name: "ucast",
    aliases: ["UCast"],
    title: "U-Cast",
    uri: "hf://salv47/u-cast@775f2974b52b5beb8945ac3c60212ca25e0a13f5",
    notLoadable: python("its own UNet"),
  },
  ...(
    [
      [
        "climatenet",
        ["ClimateNet"],
        "ClimateNet: tropical cyclones and atmospheric rivers",
        ngc("modulus/modulus_diagnostics@v0.1"),
      ],
      ["precipitation_afno", ["PrecipitationAFNO"], "Precipitation (AFNO)", ngc("modulus/modulus_diagnostics@v0.1")],
      [
        "precipitation_afno_v2",
        ["PrecipitationAFNOv2"],
        "Precipitation (AFNO), version 2",
        ngc("earth-2/afno_dx_tp-v1-era5@v0.1.0"),
      ],
      [
        "solar_radiation_afno_1h",
        ["SolarRadiationAFNO1H"],
        "Solar radiation over 1 h (AFNO)",
        ngc("earth-2/afno_dx_sr-v1-era5@1.0.0"),
      ],
      [
        "solar_radiation_afno_6h",
        ["SolarRadiationAFNO6H"],
        "Solar radiation over 6 h (AFNO)",
        ngc("earth-2/afno_dx_sr-v1-era5@1.0.0"),
      ],
      ["windgust_afno", ["WindgustAFNO"], "Wind gusts (AFNO)", ngc("earth-2/afno_dx_wg-v1-era5@v0.1.0")],
      ["corrdiff_taiwan", ["CorrDiffTaiwan"], "CorrDiff, Taiwan", ngc("modulus/corrdiff_inference_package@1")],
      [
        "corrdiff_cmip6",
        ["CorrDiffCMIP6"],
        "CorrDiff, CMIP6 to ERA5",
        "hf://nvidia/corrdiff-cmip6-era5@f756fad5b85efec64df4868aead14dda698b8aea",
      ],
      [
        "corrdiff_cosmo",
        ["CorrDiffCosmoEra5"],
        "CorrDiff, COSMO over ERA5",
        "hf://nvidia/corrdiff-cosmo-era5@44064f304158f863f6ae02948b1b8e08d523458e",
      ],
      [
        "cbottle_infill",
        ["CBottleInfill"],
        "Climate in a Bottle, infilling",
        "hf://nvidia/cbottle@eebd93c85b3cd3a5a8f79c546ed917b0b80438f4",
      ],
      [
        "cbottle_sr",
        ["CBottleSR"],
        "Climate in a Bottle, super-resolution",
        "hf://nvidia/cbottle@eebd93c85b3cd3a5a8f79c546ed917b0b80438f4",
      ],
      [
        "cbottle_tc",
        ["CBottleTCGuidance"],
        "Climate in a Bottle, cyclone guidance",
        "hf://nvidia/cbottle@eebd93c85b3cd3a5a8f79c546ed917b0b80438f4",
      ],
      [
        "dlesym_v0_precip",
        ["DLESyMv0_ISCCP_ERA5Precip"],
        "DLESyM v0, precipitation",
        "hf://nvidia/dlesym-v0-isccp-era5@924b2d62644ef61289dd960e018f60d6e067bfca",
      ],
      [
        "orbit2",
        ["OrbitGlobalPrecip"],
        "ORBIT-2, precipitation",
        "hf://jychoi-hpc/ORBIT-2@718625a11bc908633efc0ed2b6e5aac05af26a66",
      ],
      ["stormscope_nsrdb", ["StormScopeDxNSRDB"], "StormScope, solar radiation", "hf://nvidia/StormScope-NSRDB"],
    ] as const
  ).map(([name, aliases, title, uri]) => ({
    ...{ name, aliases, title, uri },
    kind: "diagnostic" as const,
    notLoadable: "it is a diagnostic, not a forecast model: nothing in Foehn loads its network yet",
  })),
  ...(
    [
      [
        "healda",
        ["HealDA"],
        "HealDA, data assimilation",
        "hf://nvidia/healda@28e22277aab12a7c9e3e160c003539ef57bb24b1",
        "NVIDIA Open Model License",
      ],
      [
        "stormcast_sda",
        ["StormCastSDA"],
        "StormCast, data assimilation",
        "hf://nvidia/stormcast-v1-era5-hrrr@6c89a0877a0d6b231033d3b0d8b9828a6f833ed8",
        undefined,
      ],
    ] as const
  ).map(([name, aliases, title, uri, license]) => ({
    ...{ name, aliases, title, uri, license },
    kind: "assimilation" as const,
    notLoadable: "it is a data assimilation, which Foehn does not do",
  })),
];

const models: readonly PublishedModel[] = rows.map((row) => ({
  ...{ aliases: [], kind: "prognostic", license: undefined, grid: undefined, stepSeconds: undefined, history: 1 },
  ...{ channels: undefined, files: [], notLoadable: undefined },
  ...row,
}));

/** All published models, those that Foehn loads first. */
export function publishedModels(): readonly PublishedModel[] {
  return models;
}

/** A published model by its name or a name that it has elsewhere. @throws UsageError for an unknown one, with the nearest */
export function publishedModel(name: string): PublishedModel {
  const exact = models.find((model) => model.name === name || model.aliases.includes(name));
  if (exact) return exact;
  // Without regard to case, where that is unambiguous: pangu_6 and Pangu6 are different models.
  const lower = name.toLowerCase();
  const near = models.filter((model) => [model.name, ...model.aliases].some((other) => other.toLowerCase() === lower));
  if (near.length === 1) return near[0]!;
  const names = models.map((model) => model.name);
  throw new UsageError(`there is no published model "${name}" in the catalogue`, {
    hint: didYouMean(name, names) || "`foehn model list --remote` prints the catalogue",
  });
}

/** The models whose default package an address is, as it is written in the catalogue or without its pin. */
export function publishedAt(uri: string): readonly PublishedModel[] {
  const bare = (text: string) => text.replace(/\/+$/, "").replace(/@[^/]*/, "");
  return models.filter((model) => model.uri === uri || bare(model.uri) === bare(uri));
}

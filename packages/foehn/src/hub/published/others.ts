// Published models that are no forecast models: diagnostics (precipitation, gusts, downscaling) and data assimilation.

import { ngc, type Row } from "./row.js";

export const others: readonly Row[] = [
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

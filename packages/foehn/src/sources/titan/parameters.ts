// The parameters and grids of Météo-France's Titan data set: which GRIB file holds a parameter, on which grid and kind of level, in which
// units. The facts are those of py4cast's `datasets/titan/metadata.yaml` (Apache-2.0) and of the data set's page,
// https://huggingface.co/datasets/meteofrance/titan

import { type Grid, regularGrid } from "../../grid/grid.js";

/** Names of the grids. */
export type TitanGridName = "PAAROME_1S100" | "PAAROME_1S40" | "PA_01D" | "ANTJP7CLIM_1S100";

/** One parameter, on one or many levels. */
export interface TitanParameter {
  readonly name: string;
  /** File in each hour's GRIB folder. */
  readonly file: string;
  readonly grid: TitanGridName;
  /** As ecCodes names it. */
  readonly typeOfLevel: "surface" | "meanSea" | "heightAboveGround" | "isobaricInhPa";
  /** ecCodes' short names under which the field is found. */
  readonly shortNames: readonly string[];
  /** CF spelling. */
  readonly units: string;
  readonly longName: string;
  /** Levels that there are. */
  readonly levels: readonly number[];
}

/** hPa. */
export const titanPressureLevels: readonly number[] = [
  1000, 950, 925, 900, 850, 800, 750, 700, 650, 600, 550, 500, 450, 400, 350, 300, 275, 250, 225, 200, 175, 150, 125,
  100,
];

type Row = readonly [
  name: string,
  shortNames: string,
  level: number | "isobaric" | "surface" | "sea",
  units: string,
  longName: string,
];

/** File, grid and the parameters in it. */
const files: readonly (readonly [file: string, grid: TitanGridName, rows: readonly Row[]])[] = [
  ["ANTJP7CLIM_1S100_60_SOL", "ANTJP7CLIM_1S100", [["ant_prec", "prec tp", "surface", "kg m-2", "rain of one hour"]]],
  [
    "PAAROME_1S100_ECH0_2M",
    "PAAROME_1S100",
    [
      ["aro_t2m", "2t", 2, "K", "temperature"],
      ["aro_r2", "2r r", 2, "%", "relative humidity"],
    ],
  ],
  [
    "PAAROME_1S100_ECH0_10M",
    "PAAROME_1S100",
    [
      ["aro_u10", "10u", 10, "m s-1", "eastward wind"],
      ["aro_v10", "10v", 10, "m s-1", "northward wind"],
    ],
  ],
  ["PAAROME_1S100_ECH0_SOL", "PAAROME_1S100", [["aro_sd", "sd sdwe", "surface", "kg m-2", "snow, water equivalent"]]],
  [
    "PAAROME_1S100_ECH1_10M",
    "PAAROME_1S100",
    [
      ["aro_ugust", "ugust 10efg", 10, "m s-1", "eastward gust"],
      ["aro_vgust", "vgust 10nfg", 10, "m s-1", "northward gust"],
    ],
  ],
  [
    "PAAROME_1S100_ECH1_SOL",
    "PAAROME_1S100",
    [
      ["aro_tp", "tp", "surface", "kg m-2", "precipitation of one hour"],
      ["aro_tirf", "tirf", "surface", "kg m-2", "rain of one hour"],
      ["aro_sprate", "sprate tsrwe", "surface", "kg m-2 s-1", "snowfall rate"],
    ],
  ],
  [
    "PAAROME_1S40_ECH0_ISOBARE",
    "PAAROME_1S40",
    [
      ["aro_z", "z", "isobaric", "m2 s-2", "geopotential"],
      ["aro_t", "t", "isobaric", "K", "temperature"],
      ["aro_u", "u", "isobaric", "m s-1", "eastward wind"],
      ["aro_v", "v", "isobaric", "m s-1", "northward wind"],
      ["aro_wz", "wz", "isobaric", "m s-1", "upward wind"],
      ["aro_r", "r", "isobaric", "%", "relative humidity"],
      ["aro_ciwc", "ciwc", "isobaric", "kg kg-1", "specific cloud ice"],
      ["aro_clwc", "clwc", "isobaric", "kg kg-1", "specific cloud water"],
      ["aro_crwc", "crwc", "isobaric", "kg kg-1", "specific rain water"],
      ["aro_cswc", "cswc", "isobaric", "kg kg-1", "specific snow water"],
      ["aro_unknown", "unknown", "isobaric", "1", "field without a name in ecCodes (specific graupel)"],
    ],
  ],
  ["PAAROME_1S40_ECH0_MER", "PAAROME_1S40", [["aro_prmsl", "prmsl msl", "sea", "Pa", "pressure at sea level"]]],
  ["PAAROME_1S40_ECH0_SOL", "PAAROME_1S40", [["aro_tciwv", "tciwv tcwv", "surface", "kg m-2", "water vapour"]]],
  [
    "PAAROME_1S40_ECH1_SOL",
    "PAAROME_1S40",
    [
      ["aro_ssr", "ssr", "surface", "J m-2", "net solar radiation of one hour"],
      ["aro_str", "str", "surface", "J m-2", "net thermal radiation of one hour"],
    ],
  ],
  [
    "PA_01D_2M",
    "PA_01D",
    [
      ["arp_t2m", "2t", 2, "K", "temperature"],
      ["arp_r2", "2r r", 2, "%", "relative humidity"],
    ],
  ],
  [
    "PA_01D_10M",
    "PA_01D",
    [
      ["arp_u10", "10u", 10, "m s-1", "eastward wind"],
      ["arp_v10", "10v", 10, "m s-1", "northward wind"],
    ],
  ],
  [
    "PA_01D_ISOBARE",
    "PA_01D",
    [
      ["arp_z", "z", "isobaric", "m2 s-2", "geopotential"],
      ["arp_t", "t", "isobaric", "K", "temperature"],
      ["arp_u", "u", "isobaric", "m s-1", "eastward wind"],
      ["arp_v", "v", "isobaric", "m s-1", "northward wind"],
      ["arp_r", "r", "isobaric", "%", "relative humidity"],
    ],
  ],
  ["PA_01D_MER", "PA_01D", [["arp_prmsl", "prmsl msl", "sea", "Pa", "pressure at sea level"]]],
];

const models: Readonly<Record<string, string>> = { aro: "Arome", arp: "Arpege", ant: "Antilope" };

/** All parameters by name. */
export const titanParameters: ReadonlyMap<string, TitanParameter> = new Map(
  files.flatMap(([file, grid, rows]) =>
    rows.map(([name, shortNames, level, units, longName]) => [
      name,
      {
        name,
        file: `${file}.grib`,
        grid,
        typeOfLevel:
          level === "isobaric"
            ? ("isobaricInhPa" as const)
            : level === "surface"
              ? ("surface" as const)
              : level === "sea"
                ? ("meanSea" as const)
                : ("heightAboveGround" as const),
        shortNames: shortNames.split(" "),
        units,
        longName: `${models[name.slice(0, 3)]}: ${longName}`,
        levels: level === "isobaric" ? titanPressureLevels : [typeof level === "number" ? level : 0],
      },
    ]),
  ),
);

const grids: Readonly<Record<TitanGridName, () => Grid>> = {
  PAAROME_1S100: () => regularGrid({ lat0: 55.4, dlat: 0.01, ny: 1791, lon0: -12, dlon: 0.01, nx: 2801 }),
  PAAROME_1S40: () => regularGrid({ lat0: 55.4, dlat: 0.025, ny: 717, lon0: -12, dlon: 0.025, nx: 1121 }),
  PA_01D: () => regularGrid({ lat0: 72, dlat: 0.1, ny: 521, lon0: -32, dlon: 0.1, nx: 741 }),
  ANTJP7CLIM_1S100: () => regularGrid({ lat0: 51.5, dlat: 0.01, ny: 1051, lon0: -6, dlon: 0.01, nx: 1651 }),
};

/** Names of the grids. */
export const titanGridNames = Object.keys(grids) as readonly TitanGridName[];

/** A grid of the data set, whole. */
export function titanGrid(name: TitanGridName): Grid {
  return grids[name]();
}

/** Feature name: `aro_t2m_2m`, `aro_z_500hpa`; fields without a level have level 0 m. */
export function titanFeature({ name, typeOfLevel }: TitanParameter, level: number): string {
  return `${name}_${level}${typeOfLevel === "isobaricInhPa" ? "hpa" : "m"}`;
}

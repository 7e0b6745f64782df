// The table behind the catalogue: one row per variable. Names follow Earth2Studio's vocabulary where it has one (`u10m`, `t2m`,
// `tcwv`) and ECMWF's short name elsewhere; units are those of ECMWF's parameter database for the same parameter.
// Parameter ids: https://codes.ecmwf.int/grib/param-db. Standard names: CF standard name table.

/** Where a variable lives. Pressure-level families have no level of their own here: `z` becomes `z500`. */
export type LevelType = "pressure" | "surface" | "height" | "meanSea" | "column" | "soil" | "top";

/** How a value relates to time: a moment, or the interval that ends at the valid time. */
export type TimeKind = "instant" | "accumulated" | "mean" | "maximum" | "minimum";

/** One row: name, units, long name, and what is not the default. */
export interface DefinitionRow {
  readonly name: string;
  readonly units: string;
  readonly longName: string;
  readonly levelType: LevelType;
  readonly standardName?: string;
  /** ECMWF parameter ids that mean this variable in these units. */
  readonly ids?: readonly number[];
  readonly aliases?: readonly string[];
  /** ECMWF's short name where it is not `name`. */
  readonly shortName?: string;
  readonly timeKind?: TimeKind;
  /** True for fields that do not change with time (orography, land–sea mask). */
  readonly invariant?: boolean;
}

type Extra = Pick<DefinitionRow, "standardName" | "ids" | "aliases" | "shortName" | "timeKind" | "invariant">;

function row(levelType: LevelType, name: string, units: string, longName: string, extra: Extra = {}): DefinitionRow {
  return { levelType, name, units, longName, ...extra };
}

const one = "1";

/** Families on pressure levels; a member is the family's name with the level in hPa appended. */
export const pressureFamilies: readonly DefinitionRow[] = [
  row("pressure", "z", "m2 s-2", "Geopotential", {
    standardName: "geopotential",
    ids: [129],
    aliases: ["phi", "geopotential"],
  }),
  row("pressure", "gh", "gpm", "Geopotential height", {
    standardName: "geopotential_height",
    ids: [156],
    aliases: ["hgt", "zg", "geopotential_height"],
  }),
  row("pressure", "t", "K", "Temperature", {
    standardName: "air_temperature",
    ids: [130],
    aliases: ["ta", "tmp", "temperature"],
  }),
  row("pressure", "u", "m s-1", "U component of wind", {
    standardName: "eastward_wind",
    ids: [131],
    aliases: ["ua", "ugrd", "u_component_of_wind"],
  }),
  row("pressure", "v", "m s-1", "V component of wind", {
    standardName: "northward_wind",
    ids: [132],
    aliases: ["va", "vgrd", "v_component_of_wind"],
  }),
  row("pressure", "w", "Pa s-1", "Vertical velocity", {
    standardName: "lagrangian_tendency_of_air_pressure",
    ids: [135],
    aliases: ["wap", "vvel", "omega", "vertical_velocity"],
  }),
  row("pressure", "q", "kg kg-1", "Specific humidity", {
    standardName: "specific_humidity",
    ids: [133],
    aliases: ["hus", "spfh", "specific_humidity"],
  }),
  row("pressure", "r", "%", "Relative humidity", {
    standardName: "relative_humidity",
    ids: [157],
    aliases: ["hur", "rh", "relative_humidity"],
  }),
  row("pressure", "vo", "s-1", "Vorticity (relative)", {
    standardName: "atmosphere_relative_vorticity",
    ids: [138],
    aliases: ["vorticity"],
  }),
  row("pressure", "d", "s-1", "Divergence", {
    standardName: "divergence_of_wind",
    ids: [155],
    aliases: ["divergence"],
  }),
  row("pressure", "pv", "K m2 kg-1 s-1", "Potential vorticity", {
    standardName: "ertel_potential_vorticity",
    ids: [60],
    aliases: ["potential_vorticity"],
  }),
  row("pressure", "o3", "kg kg-1", "Ozone mass mixing ratio", {
    standardName: "mass_fraction_of_ozone_in_air",
    ids: [203],
    aliases: ["ozone_mass_mixing_ratio"],
  }),
  row("pressure", "clwc", "kg kg-1", "Specific cloud liquid water content", {
    ids: [246],
    aliases: ["specific_cloud_liquid_water_content"],
  }),
  row("pressure", "ciwc", "kg kg-1", "Specific cloud ice water content", {
    ids: [247],
    aliases: ["specific_cloud_ice_water_content"],
  }),
  row("pressure", "crwc", "kg kg-1", "Specific rain water content", {
    ids: [75],
    aliases: ["specific_rain_water_content"],
  }),
  row("pressure", "cswc", "kg kg-1", "Specific snow water content", {
    ids: [76],
    aliases: ["specific_snow_water_content"],
  }),
  row("pressure", "cc", one, "Fraction of cloud cover", {
    ids: [248],
    aliases: ["fraction_of_cloud_cover"],
  }),
  row("pressure", "pt", "K", "Potential temperature", { standardName: "air_potential_temperature", ids: [3] }),
  row("pressure", "ws", "m s-1", "Wind speed", { standardName: "wind_speed", ids: [10], aliases: ["wind_speed"] }),
];

/** Variables at one place in the vertical. */
export const singleLevels: readonly DefinitionRow[] = [
  row("height", "t2m", "K", "2 metre temperature", {
    standardName: "air_temperature",
    ids: [167],
    shortName: "2t",
    aliases: ["var_2t", "tas", "2m_temperature"],
  }),
  row("height", "d2m", "K", "2 metre dewpoint temperature", {
    standardName: "dew_point_temperature",
    ids: [168],
    shortName: "2d",
    aliases: ["var_2d", "2m_dewpoint_temperature"],
  }),
  row("height", "r2m", "%", "2 metre relative humidity", { ids: [260242], shortName: "2r", aliases: ["r2", "hurs"] }),
  row("height", "q2m", "kg kg-1", "2 metre specific humidity", {
    ids: [174096],
    shortName: "2sh",
    aliases: ["sh2", "huss"],
  }),
  row("height", "mx2t", "K", "Maximum temperature at 2 metres since previous post-processing", {
    ids: [201],
    timeKind: "maximum",
    aliases: ["tasmax", "maximum_2m_temperature_since_previous_post_processing"],
  }),
  row("height", "mn2t", "K", "Minimum temperature at 2 metres since previous post-processing", {
    ids: [202],
    timeKind: "minimum",
    aliases: ["tasmin", "minimum_2m_temperature_since_previous_post_processing"],
  }),
  row("height", "u10m", "m s-1", "10 metre U wind component", {
    standardName: "eastward_wind",
    ids: [165],
    shortName: "10u",
    aliases: ["var_10u", "u10", "uas", "10m_u_component_of_wind"],
  }),
  row("height", "v10m", "m s-1", "10 metre V wind component", {
    standardName: "northward_wind",
    ids: [166],
    shortName: "10v",
    aliases: ["var_10v", "v10", "vas", "10m_v_component_of_wind"],
  }),
  row("height", "ws10m", "m s-1", "10 metre wind speed", {
    standardName: "wind_speed",
    ids: [207],
    shortName: "10si",
    aliases: ["si10", "sfcwind", "10m_wind_speed"],
  }),
  row("height", "fg10m", "m s-1", "10 metre wind gust since previous post-processing", {
    ids: [49],
    timeKind: "maximum",
    shortName: "10fg",
    aliases: ["fg10", "10m_wind_gust_since_previous_post_processing"],
  }),
  row("height", "i10fg", "m s-1", "Instantaneous 10 metre wind gust", {
    ids: [228029],
    aliases: ["instantaneous_10m_wind_gust"],
  }),
  // `u100` and `v100` are not aliases: in every channel set they mean 100 hPa.
  row("height", "u100m", "m s-1", "100 metre U wind component", {
    ids: [228246],
    shortName: "100u",
    aliases: ["var_100u", "100m_u_component_of_wind"],
  }),
  row("height", "v100m", "m s-1", "100 metre V wind component", {
    ids: [228247],
    shortName: "100v",
    aliases: ["var_100v", "100m_v_component_of_wind"],
  }),
  row("height", "u200m", "m s-1", "200 metre U wind component", { ids: [228239], shortName: "200u" }),
  row("height", "v200m", "m s-1", "200 metre V wind component", { ids: [228240], shortName: "200v" }),
  row("surface", "sp", "Pa", "Surface pressure", {
    standardName: "surface_air_pressure",
    ids: [134],
    aliases: ["ps", "surface_pressure"],
  }),
  row("meanSea", "msl", "Pa", "Mean sea level pressure", {
    standardName: "air_pressure_at_mean_sea_level",
    ids: [151],
    aliases: ["mslp", "psl", "prmsl", "mean_sea_level_pressure"],
  }),
  row("surface", "skt", "K", "Skin temperature", { ids: [235], aliases: ["skin_temperature"] }),
  row("surface", "sst", "K", "Sea surface temperature", {
    standardName: "sea_surface_temperature",
    ids: [34],
    aliases: ["sea_surface_temperature"],
  }),
  row("surface", "sic", one, "Sea ice area fraction", {
    standardName: "sea_ice_area_fraction",
    ids: [31],
    shortName: "ci",
    aliases: ["siconc", "sea_ice_cover"],
  }),
  row("surface", "z", "m2 s-2", "Geopotential at the surface", {
    standardName: "surface_geopotential",
    ids: [129, 162051],
    aliases: ["zs", "zsfc", "geopotential_at_surface"],
    invariant: true,
  }),
  row("surface", "orog", "m", "Orography", {
    standardName: "surface_altitude",
    ids: [228002],
    aliases: ["hsurf", "orography"],
    invariant: true,
  }),
  row("surface", "lsm", one, "Land-sea mask", {
    standardName: "land_binary_mask",
    ids: [172],
    aliases: ["sftlf", "land_sea_mask", "land_mask"],
    invariant: true,
  }),
  row("surface", "slt", one, "Soil type", { ids: [43], aliases: ["soil_type"], invariant: true }),
  row("surface", "sdor", "m", "Standard deviation of orography", { ids: [160], invariant: true }),
  row("surface", "sdfor", "m", "Standard deviation of filtered subgrid orography", { ids: [74], invariant: true }),
  row("surface", "slor", one, "Slope of sub-gridscale orography", { ids: [163], invariant: true }),
  row("surface", "cl", one, "Lake cover", { ids: [26], aliases: ["lake_cover"], invariant: true }),
  row("surface", "cvl", one, "Low vegetation cover", { ids: [27], invariant: true }),
  row("surface", "cvh", one, "High vegetation cover", { ids: [28], invariant: true }),
  row("surface", "tvl", one, "Type of low vegetation", { ids: [29], invariant: true }),
  row("surface", "tvh", one, "Type of high vegetation", { ids: [30], invariant: true }),
  row("surface", "sr", "m", "Surface roughness", { standardName: "surface_roughness_length", ids: [173] }),
  row("column", "tcwv", "kg m-2", "Total column vertically-integrated water vapour", {
    standardName: "atmosphere_mass_content_of_water_vapor",
    ids: [137],
    aliases: ["prw", "pwat", "total_column_water_vapour"],
  }),
  row("column", "tcw", "kg m-2", "Total column water", { ids: [136], aliases: ["total_column_water"] }),
  row("column", "tclw", "kg m-2", "Total column cloud liquid water", {
    ids: [78],
    aliases: ["total_column_cloud_liquid_water"],
  }),
  row("column", "tciw", "kg m-2", "Total column cloud ice water", {
    ids: [79],
    aliases: ["total_column_cloud_ice_water"],
  }),
  row("column", "tcc", one, "Total cloud cover", {
    standardName: "cloud_area_fraction",
    ids: [164],
    aliases: ["clt", "total_cloud_cover"],
  }),
  row("surface", "lcc", one, "Low cloud cover", { ids: [186], aliases: ["low_cloud_cover"] }),
  row("surface", "mcc", one, "Medium cloud cover", { ids: [187], aliases: ["medium_cloud_cover"] }),
  row("surface", "hcc", one, "High cloud cover", { ids: [188], aliases: ["high_cloud_cover"] }),
  row("surface", "cbh", "m", "Cloud base height", { ids: [228023], aliases: ["cloud_base_height"] }),
  row("surface", "blh", "m", "Boundary layer height", {
    standardName: "atmosphere_boundary_layer_thickness",
    ids: [159],
    aliases: ["boundary_layer_height"],
  }),
  row("column", "cape", "J kg-1", "Convective available potential energy", {
    ids: [59],
    aliases: ["convective_available_potential_energy"],
  }),
  row("surface", "tp", "m", "Total precipitation", {
    ids: [228],
    aliases: ["total_precipitation"],
    timeKind: "accumulated",
  }),
  row("surface", "tp06", "m", "Total precipitation over the past 6 hours", {
    aliases: ["total_precipitation_6hr"],
    timeKind: "accumulated",
  }),
  row("surface", "tp24", "m", "Total precipitation over the past 24 hours", {
    aliases: ["total_precipitation_24hr"],
    timeKind: "accumulated",
  }),
  row("surface", "tp01", "m", "Total precipitation over the past hour", {
    aliases: ["total_precipitation_1hr"],
    timeKind: "accumulated",
  }),
  row("surface", "cp", "m", "Convective precipitation", {
    ids: [143],
    aliases: ["convective_precipitation"],
    timeKind: "accumulated",
  }),
  row("surface", "lsp", "m", "Large-scale precipitation", {
    ids: [142],
    aliases: ["large_scale_precipitation"],
    timeKind: "accumulated",
  }),
  row("surface", "sf", "m", "Snowfall", {
    ids: [144],
    aliases: ["snowfall"],
    timeKind: "accumulated",
  }),
  row("surface", "sd", "m", "Snow depth (water equivalent)", {
    standardName: "lwe_thickness_of_surface_snow_amount",
    ids: [141],
    aliases: ["snow_depth"],
  }),
  row("surface", "ro", "m", "Runoff", { ids: [205], aliases: ["runoff"], timeKind: "accumulated" }),
  row("surface", "e", "m", "Evaporation", { ids: [182], aliases: ["evaporation"], timeKind: "accumulated" }),
  row("surface", "sshf", "J m-2", "Surface sensible heat flux", {
    ids: [146],
    aliases: ["surface_sensible_heat_flux"],
    timeKind: "accumulated",
  }),
  row("surface", "slhf", "J m-2", "Surface latent heat flux", {
    ids: [147],
    aliases: ["surface_latent_heat_flux"],
    timeKind: "accumulated",
  }),
  row("surface", "ssrd", "J m-2", "Surface short-wave (solar) radiation downwards", {
    ids: [169],
    aliases: ["surface_solar_radiation_downwards"],
    timeKind: "accumulated",
  }),
  row("surface", "strd", "J m-2", "Surface long-wave (thermal) radiation downwards", {
    ids: [175],
    aliases: ["surface_thermal_radiation_downwards"],
    timeKind: "accumulated",
  }),
  row("surface", "ssr", "J m-2", "Surface net short-wave (solar) radiation", {
    ids: [176],
    aliases: ["surface_net_solar_radiation"],
    timeKind: "accumulated",
  }),
  row("surface", "str", "J m-2", "Surface net long-wave (thermal) radiation", {
    ids: [177],
    aliases: ["surface_net_thermal_radiation"],
    timeKind: "accumulated",
  }),
  row("top", "tsr", "J m-2", "Top net short-wave (solar) radiation", {
    ids: [178],
    aliases: ["top_net_solar_radiation"],
    timeKind: "accumulated",
  }),
  row("top", "ttr", "J m-2", "Top net long-wave (thermal) radiation", {
    ids: [179],
    aliases: ["top_net_thermal_radiation"],
    timeKind: "accumulated",
  }),
  row("top", "tisr", "J m-2", "TOA incident solar radiation", {
    ids: [212],
    aliases: ["toa_incident_solar_radiation"],
    timeKind: "accumulated",
  }),
  row("soil", "stl1", "K", "Soil temperature level 1", { ids: [139], aliases: ["soil_temperature_level_1"] }),
  row("soil", "stl2", "K", "Soil temperature level 2", { ids: [170], aliases: ["soil_temperature_level_2"] }),
  row("soil", "stl3", "K", "Soil temperature level 3", { ids: [183], aliases: ["soil_temperature_level_3"] }),
  row("soil", "stl4", "K", "Soil temperature level 4", { ids: [236], aliases: ["soil_temperature_level_4"] }),
  row("soil", "swvl1", "m3 m-3", "Volumetric soil water layer 1", { ids: [39] }),
  row("soil", "swvl2", "m3 m-3", "Volumetric soil water layer 2", { ids: [40] }),
  row("soil", "swvl3", "m3 m-3", "Volumetric soil water layer 3", { ids: [41] }),
  row("soil", "swvl4", "m3 m-3", "Volumetric soil water layer 4", { ids: [42] }),
];

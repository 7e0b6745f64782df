// How the Climate Data Store's ERA5 data sets call the variables of the catalogue, and where they are. The names are those of the download
// forms of `reanalysis-era5-single-levels` and `reanalysis-era5-pressure-levels`.

import { lookupVariable, type VariableDefinition, variableOnLevel } from "../variables/catalogue.js";

/** One of ERA5's two data sets. */
export type Era5Dataset = "reanalysis-era5-single-levels" | "reanalysis-era5-pressure-levels";

/** Where a variable is. */
export interface Era5Variable {
  readonly definition: VariableDefinition;
  readonly dataset: Era5Dataset;
  /** `2m_temperature`, `geopotential`. */
  readonly cdsName: string;
}

// biome-ignore format: one variable per line
const single: readonly (readonly [name: string, cdsName: string])[] = [
  ["t2m", "2m_temperature"],
  ["d2m", "2m_dewpoint_temperature"],
  ["u10m", "10m_u_component_of_wind"],
  ["v10m", "10m_v_component_of_wind"],
  ["u100m", "100m_u_component_of_wind"],
  ["v100m", "100m_v_component_of_wind"],
  ["fg10m", "10m_wind_gust_since_previous_post_processing"],
  ["i10fg", "instantaneous_10m_wind_gust"],
  ["mx2t", "maximum_2m_temperature_since_previous_post_processing"],
  ["mn2t", "minimum_2m_temperature_since_previous_post_processing"],
  ["msl", "mean_sea_level_pressure"],
  ["sp", "surface_pressure"],
  ["skt", "skin_temperature"],
  ["sst", "sea_surface_temperature"],
  ["sic", "sea_ice_cover"],
  ["tcwv", "total_column_water_vapour"],
  ["tcw", "total_column_water"],
  ["tclw", "total_column_cloud_liquid_water"],
  ["tciw", "total_column_cloud_ice_water"],
  ["tcc", "total_cloud_cover"],
  ["lcc", "low_cloud_cover"],
  ["mcc", "medium_cloud_cover"],
  ["hcc", "high_cloud_cover"],
  ["blh", "boundary_layer_height"],
  ["cape", "convective_available_potential_energy"],
  ["tp", "total_precipitation"],
  ["cp", "convective_precipitation"],
  ["lsp", "large_scale_precipitation"],
  ["sf", "snowfall"],
  ["sd", "snow_depth"],
  ["e", "evaporation"],
  ["ro", "runoff"],
  ["sshf", "surface_sensible_heat_flux"],
  ["slhf", "surface_latent_heat_flux"],
  ["ssrd", "surface_solar_radiation_downwards"],
  ["strd", "surface_thermal_radiation_downwards"],
  ["ssr", "surface_net_solar_radiation"],
  ["str", "surface_net_thermal_radiation"],
  ["tsr", "top_net_solar_radiation"],
  ["ttr", "top_net_thermal_radiation"],
  ["tisr", "toa_incident_solar_radiation"],
  ["stl1", "soil_temperature_level_1"],
  ["stl2", "soil_temperature_level_2"],
  ["stl3", "soil_temperature_level_3"],
  ["stl4", "soil_temperature_level_4"],
  ["swvl1", "volumetric_soil_water_layer_1"],
  ["swvl2", "volumetric_soil_water_layer_2"],
  ["swvl3", "volumetric_soil_water_layer_3"],
  ["swvl4", "volumetric_soil_water_layer_4"],
  ["z", "geopotential"],
  ["lsm", "land_sea_mask"],
];

const families: readonly (readonly [family: string, cdsName: string])[] = [
  ["z", "geopotential"],
  ["t", "temperature"],
  ["u", "u_component_of_wind"],
  ["v", "v_component_of_wind"],
  ["w", "vertical_velocity"],
  ["q", "specific_humidity"],
  ["r", "relative_humidity"],
  ["vo", "vorticity"],
  ["d", "divergence"],
  ["pv", "potential_vorticity"],
  ["o3", "ozone_mass_mixing_ratio"],
  ["cc", "fraction_of_cloud_cover"],
  ["clwc", "specific_cloud_liquid_water_content"],
  ["ciwc", "specific_cloud_ice_water_content"],
  ["crwc", "specific_rain_water_content"],
  ["cswc", "specific_snow_water_content"],
];

/** ERA5's pressure levels, hPa. */
export const era5Levels: readonly number[] = [
  1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700,
  750, 775, 800, 825, 850, 875, 900, 925, 950, 975, 1000,
];

/** All variables by the catalogue's names. */
export function era5Variables(): Map<string, Era5Variable> {
  const all = new Map<string, Era5Variable>();
  for (const [name, cdsName] of single) {
    const definition = lookupVariable(name);
    if (definition) all.set(name, { definition, dataset: "reanalysis-era5-single-levels", cdsName });
  }
  for (const [family, cdsName] of families) {
    for (const level of era5Levels) {
      const definition = variableOnLevel(family, level);
      if (definition) all.set(definition.name, { definition, dataset: "reanalysis-era5-pressure-levels", cdsName });
    }
  }
  return all;
}

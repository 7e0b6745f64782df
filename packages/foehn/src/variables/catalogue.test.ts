import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  lookupFamily,
  lookupParameter,
  lookupVariable,
  pressureFamilyNames,
  singleLevelVariables,
  suggestVariable,
  variableOnLevel,
} from "./catalogue.js";
import { channelSet, channelSetNames } from "./channel-sets.js";
import { normaliseUnits, tryParseUnit } from "./units.js";

const parameters = JSON.parse(
  readFileSync(new URL("../../../../test/golden/variables/parameters.json", import.meta.url), "utf8"),
) as Record<string, [shortName: string, units: string, name: string]>;

describe("the catalogue", () => {
  const singles = singleLevelVariables();
  const families = pressureFamilyNames().map((name) => variableOnLevel(name, 500)!);

  it("agrees with ecCodes on short names and units of every parameter id", () => {
    const checked = new Set<string>();
    for (const definition of [...singles, ...families]) {
      for (const id of definition.gribParamIds) {
        const [shortName, units] = parameters[id]!;
        checked.add(String(id));
        // ecCodes names 156 by its level type, and has no short name for 162051.
        if (id === 156 || id === 162051) continue;
        expect([id, definition.shortName, definition.units]).toEqual([id, shortName, normaliseUnits(units)]);
      }
    }
    expect([...checked].sort()).toEqual(Object.keys(parameters).sort());
  });

  it("knows the names of public archives of ERA5", () => {
    const single = {
      "2m_temperature": "t2m",
      "10m_u_component_of_wind": "u10m",
      "10m_wind_speed": "ws10m",
      mean_sea_level_pressure: "msl",
      total_precipitation_6hr: "tp06",
      total_precipitation_24hr: "tp24",
      geopotential_at_surface: "z",
      land_sea_mask: "lsm",
      toa_incident_solar_radiation: "tisr",
      total_column_water_vapour: "tcwv",
      sea_surface_temperature: "sst",
      sea_ice_cover: "sic",
    };
    for (const [name, ours] of Object.entries(single)) expect(lookupVariable(name)?.name).toBe(ours);
    const families = {
      geopotential: "z",
      u_component_of_wind: "u",
      specific_humidity: "q",
      vertical_velocity: "w",
      wind_speed: "ws",
      specific_cloud_liquid_water_content: "clwc",
      specific_cloud_ice_water_content: "ciwc",
      fraction_of_cloud_cover: "cc",
      potential_vorticity: "pv",
      ozone_mass_mixing_ratio: "o3",
    };
    for (const [name, ours] of Object.entries(families)) expect(variableOnLevel(name, 500)?.name).toBe(`${ours}500`);
  });

  it("has units that can be parsed and are written as CF writes them", () => {
    for (const { name, units } of [...singles, ...families]) {
      expect(tryParseUnit(units), name).toBeDefined();
      expect(normaliseUnits(units), name).toBe(units);
    }
  });

  it("has no name or alias twice among single levels", () => {
    const seen = new Map<string, string>();
    for (const definition of singles) {
      for (const name of new Set([definition.name, definition.shortName, ...definition.aliases])) {
        expect(seen.get(name), `${name} of ${definition.name}`).toBeUndefined();
        seen.set(name, definition.name);
      }
    }
    expect(seen.size).toBeGreaterThan(100);
  });

  it.each([
    ["t2m", "t2m"],
    ["2t", "t2m"],
    ["VAR_2T", "t2m"],
    ["2m_temperature", "t2m"],
    ["10u", "u10m"],
    ["u10", "u10m"],
    ["u10m", "u10m"],
    ["u100m", "u100m"],
    ["u100", "u100"],
    ["z500", "z500"],
    ["z_500", "z500"],
    ["T_850", "t850"],
    ["geopotential_500", "z500"],
    ["t850hPa", "t850"],
    ["o3500", "o3500"],
    ["mslp", "msl"],
    ["z", "z"],
  ])("finds %s as %s", (asked, name) => {
    expect(lookupVariable(asked)?.name).toBe(name);
  });

  it("knows the level and family of a pressure-level variable", () => {
    expect(lookupVariable("z500")).toMatchObject({ level: 500, family: "z", levelType: "pressure", units: "m2 s-2" });
    expect(lookupVariable("u100")).toMatchObject({ level: 100 });
    expect(lookupVariable("u100m")?.level).toBeUndefined();
  });

  it("does not know what is not there, and suggests", () => {
    for (const name of ["t", "u", "tm2", "x500", "", "z500x", "500"])
      expect(lookupVariable(name), name).toBeUndefined();
    expect(suggestVariable("t2n")).toContain('"t2m"');
  });

  it("tells parameter 129 on a level from the surface", () => {
    expect(lookupParameter(129, 500)?.name).toBe("z500");
    expect(lookupParameter(129)).toMatchObject({ name: "z", invariant: true });
    expect(lookupParameter(130)).toBeUndefined();
    expect(lookupFamily(130)?.name).toBe("t");
  });
});

describe("channel sets", () => {
  it("have the published lengths, positions and no repeats", () => {
    const lengths = Object.fromEntries(channelSetNames().map((name) => [name, channelSet(name).length]));
    expect(lengths).toEqual({ var26: 26, var34: 34, var73: 73, var_pangu: 69, dlwp: 7 });
    for (const name of channelSetNames()) expect(new Set(channelSet(name)).size).toBe(channelSet(name).length);
    expect(channelSet("26var").slice(0, 3)).toEqual(["u10m", "v10m", "t2m"]);
    expect(channelSet("var73").slice(7, 10)).toEqual(["tcwv", "u50", "u100"]);
    expect(channelSet("73var").at(-1)).toBe("r1000");
    expect(channelSet("var_pangu").slice(0, 2)).toEqual(["z1000", "z925"]);
    expect(channelSet("var_pangu").slice(-5)).toEqual(["v50", "msl", "u10m", "v10m", "t2m"]);
    expect(channelSet("var34").slice(0, 26)).toEqual(channelSet("var26"));
  });

  it("name variables that the catalogue knows by the same name", () => {
    for (const name of channelSetNames()) {
      for (const channel of channelSet(name)) expect(lookupVariable(channel)?.name).toBe(channel);
    }
  });

  it("suggest the nearest set", () => {
    expect(() => channelSet("var72")).toThrow(expect.objectContaining({ hint: expect.stringContaining("var73") }));
  });
});

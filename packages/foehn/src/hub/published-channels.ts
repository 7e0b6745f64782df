// Ordered channels of published models that no channel set of earth2mip has. Sources: the README of github.com/tpys/FuXi and of
// github.com/OpenEarthLab/FengWu, in Foehn's names.

const levels = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000];
const families = (names: string): string[] => [...names].flatMap((name) => levels.map((level) => `${name}${level}`));

/** FuXi's 70: geopotential, temperature, wind and relative humidity on 13 levels, five fields near the surface. */
export const fuxiChannels: readonly string[] = [...families("ztuvr"), "t2m", "u10m", "v10m", "msl", "tp06"];

/** FengWu's 69: four fields near the surface, then geopotential, specific humidity, wind and temperature on 13 levels. */
export const fengwuChannels: readonly string[] = ["u10m", "v10m", "t2m", "msl", ...families("zquvt")];

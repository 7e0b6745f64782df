"""Makes grids.grib, one small message for each kind of grid that is not regular, and grids.json: where ecCodes says the values lie.

    python3 test/golden/io/make_grib_grids.py          (python3-eccodes, numpy; made with ecCodes 2.28.0)

Every value says where it belongs: latitude + longitude (0 to 360) / 1000, packed in 24 bits.
"""

import json
import os

import eccodes as ec
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SPHERE = {"shapeOfTheEarth": 6}
# WGS 84 by its axes.
WGS84 = {"shapeOfTheEarth": 7, "scaleFactorOfEarthMajorAxis": 1, "scaledValueOfEarthMajorAxis": 63781370, "scaleFactorOfEarthMinorAxis": 1, "scaledValueOfEarthMinorAxis": 63567523}


def finish(h, name, keys, points):
    for key, value in keys.items():
        ec.codes_set(h, key, value)
    ec.codes_set(h, "bitsPerValue", 24)
    ec.codes_set_values(h, np.arange(points) % 7.0)
    h = ec.codes_new_from_message(ec.codes_get_message(h))  # what follows from the shape of the Earth is settled on reading
    lat, lon = ec.codes_get_double_array(h, "latitudes"), ec.codes_get_double_array(h, "longitudes")
    ec.codes_set_values(h, lat + np.mod(lon, 360) / 1000)
    return {"name": name, "h": h, "lat": lat, "lon": lon}


def edition1(name, grid, keys, nx=7, ny=5):
    """GRIB 1: milli-degrees, its own sphere, rows upwards."""
    h = ec.codes_grib_new_from_samples("GRIB1")
    ec.codes_set(h, "gridType", grid)
    rotated = grid == "rotated_ll"
    return finish(h, name, {"Ni" if rotated else "Nx": nx, "Nj" if rotated else "Ny": ny, "scanningMode": 64, "resolutionAndComponentFlags": 128, **keys}, nx * ny)


def on_plane(name, grid, keys, nx=7, ny=5, scanning=64, flags=0, earth=SPHERE):
    """`flags` 8: vectors along the grid's axes. `scanning` 128: leftwards, 64: upwards, 32: columns first, 16: zigzag.

    ecCodes places points rightwards and row by row whatever the message says, so other orders are made of that one here.
    """
    h = ec.codes_grib_new_from_samples("GRIB2")
    ec.codes_set(h, "gridType", grid)
    rotated = grid == "rotated_ll"
    every = {**earth, "Ni" if rotated else "Nx": nx, "Nj" if rotated else "Ny": ny, "scanningMode": 64, "numberOfDataPoints": nx * ny, "numberOfValues": nx * ny, "resolutionAndComponentFlags": 48 + flags}
    m = finish(h, name, {**every, **keys}, nx * ny)
    if scanning == 64:
        return m
    lat, lon = m["lat"].reshape(ny, nx), m["lon"].reshape(ny, nx)
    if not scanning & 64:
        lat, lon = lat[::-1], lon[::-1]
    if scanning & 128:
        lat, lon = lat[:, ::-1], lon[:, ::-1]
    ec.codes_set(m["h"], "scanningMode", scanning)
    ec.codes_set(m["h"], "latitudeOfFirstGridPointInDegrees", lat[0, 0])
    ec.codes_set(m["h"], "longitudeOfFirstGridPointInDegrees", lon[0, 0])
    values = lat + np.mod(lon, 360) / 1000
    lines = values.T.copy() if scanning & 32 else values.copy()
    if scanning & 16:
        lines[1::2] = lines[1::2, ::-1].copy()
    ec.codes_set_values(m["h"], lines.ravel())
    return m


lambert = {"latitudeOfFirstGridPointInDegrees": 40.1, "longitudeOfFirstGridPointInDegrees": 352.5, "LaDInDegrees": 46.5, "LoVInDegrees": 2.0, "Latin1InDegrees": 46.5, "Latin2InDegrees": 46.5, "DxInMetres": 130000, "DyInMetres": 110000}
two = {**lambert, "Latin1InDegrees": 30.0, "Latin2InDegrees": 60.0}
polar = {"latitudeOfFirstGridPointInDegrees": 55.3, "longitudeOfFirstGridPointInDegrees": 310.0, "LaDInDegrees": 60.0, "orientationOfTheGridInDegrees": 10.0, "DxInMetres": 600000, "DyInMetres": 500000}
south = {**polar, "latitudeOfFirstGridPointInDegrees": -55.3, "LaDInDegrees": -71.0, "projectionCentreFlag": 128}
# Equal steps: this ecCodes takes the first for both.
merc = {"latitudeOfFirstGridPointInDegrees": -10.0, "longitudeOfFirstGridPointInDegrees": 350.0, "latitudeOfLastGridPointInDegrees": 11.7, "longitudeOfLastGridPointInDegrees": 20.6, "LaDInDegrees": 20.0, "DiInMetres": 530000, "DjInMetres": 530000}
rotated = {"latitudeOfFirstGridPointInDegrees": -4.0, "longitudeOfFirstGridPointInDegrees": 354.0, "latitudeOfLastGridPointInDegrees": 4.0, "longitudeOfLastGridPointInDegrees": 6.0, "iDirectionIncrementInDegrees": 2.0, "jDirectionIncrementInDegrees": 2.0, "latitudeOfSouthernPoleInDegrees": -39.25, "longitudeOfSouthernPoleInDegrees": 18.0, "angleOfRotationInDegrees": 0}


def reduced(name, grid, edition=2, keys=None):
    h = ec.codes_grib_new_from_samples(f"reduced_gg_pl_32_grib{edition}")
    if grid.startswith("O"):
        n = int(grid[1:])
        pl = [20 + 4 * min(i, 2 * n - 1 - i) for i in range(2 * n)]
        ec.codes_set(h, "N", n)
        ec.codes_set_array(h, "pl", pl)
        ec.codes_set(h, "numberOfDataPoints", sum(pl))
        ec.codes_set(h, "numberOfValues", sum(pl))
    return finish(h, name, keys or {}, int(ec.codes_get_array(h, "pl").sum()))


messages = [
    on_plane("lambert, sphere, upwards", "lambert", lambert),
    on_plane("lambert, two parallels, ellipsoid, downwards and leftwards", "lambert", two, scanning=128, earth=WGS84),
    on_plane("lambert, along the grid, columns first", "lambert", lambert, scanning=64 + 32, flags=8),
    on_plane("polar stereographic", "polar_stereographic", polar),
    on_plane("polar stereographic, south, zigzag", "polar_stereographic", south, scanning=64 + 16),
    on_plane("mercator", "mercator", merc),
    on_plane("mercator, ellipsoid", "mercator", merc, earth=WGS84),
    on_plane("rotated", "rotated_ll", rotated),
    reduced("reduced, classic", "N32", 1),
    reduced("reduced, octahedral", "O8"),
    on_plane("points: rotated, turned about the new axis", "rotated_ll", {**rotated, "angleOfRotationInDegrees": 10}),
    edition1("points: the same, GRIB 1", "rotated_ll", {**rotated, "angleOfRotationInDegrees": 10}),
    edition1("lambert, GRIB 1", "lambert", {k: v for k, v in lambert.items() if k != "LaDInDegrees"}),
    edition1("polar stereographic, GRIB 1", "polar_stereographic", {k: v for k, v in polar.items() if k != "LaDInDegrees"}),
    edition1("rotated, GRIB 1", "rotated_ll", rotated),
]
out = []
with open(os.path.join(HERE, "grids.grib"), "wb") as f:
    for m in messages:
        ec.codes_write(m["h"], f)
        every = 97 if len(m["lat"]) > 1000 else 1
        out.append({"name": m["name"], "points": len(m["lat"]), "every": every, "gridType": ec.codes_get(m["h"], "gridType"), "lat": m["lat"][::every].tolist(), "lon": m["lon"][::every].tolist()})
with open(os.path.join(HERE, "grids.json"), "w") as f:
    json.dump(out, f)

# Spherical harmonics have no points: ecCodes' sample as it is, for the error.
with open(os.path.join(HERE, "spectral.grib"), "wb") as f:
    ec.codes_write(ec.codes_grib_new_from_samples("sh_sfc_grib2"), f)

"""Makes the small NetCDF files of this folder and netcdf.json, what netCDF4-python says about them.

/usr/bin/python3 test/golden/io/make_netcdf.py      (netCDF4 1.6.2 over netCDF-C 4.9.0, NumPy 1.24)
"""

import json
import os

import netCDF4
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FORMATS = {
    "classic.nc": "NETCDF3_CLASSIC",
    "offset64.nc": "NETCDF3_64BIT_OFFSET",
    "cdf5.nc": "NETCDF3_64BIT_DATA",
    "netcdf4.nc": "NETCDF4",
}
rng = np.random.default_rng(7)


def fill(d, extended):
    """Fixed and record variables of every type, odd sizes (padding!), packed data with missing points, text."""
    d.title = "Föhn"
    d.numbers = np.array([1.5, 2.5])
    d.createDimension("time", None)
    d.createDimension("lat", 3)
    d.createDimension("lon", 5)
    d.createDimension("chars", 7)
    d.createDimension("pair", 2)
    lat = d.createVariable("lat", "f4", ("lat",))
    lat.units = "degrees_north"
    lat[:] = [10, 20, 30]
    lon = d.createVariable("lon", "f8", ("lon",))
    lon.units = "degrees_east"
    lon[:] = [350, 355, 0, 5, 10]
    time = d.createVariable("time", "f8", ("time",))
    time.units = "hours since 2019-03-01 06:00:00"
    time.calendar = "standard"
    time[:] = [0, 6, 12]
    shape = (3, 3, 5)
    for name, kind in (("byte", "i1"), ("short", "i2"), ("int", "i4"), ("float", "f4"), ("double", "f8")):
        v = d.createVariable(name, kind, ("time", "lat", "lon"))
        v[:] = rng.integers(-100, 100, shape) if kind[0] == "i" else rng.normal(size=shape)
    odd = d.createVariable("odd", "i1", ("time",))  # one byte a record: padded between records
    odd[:] = [1, -2, 3]
    static = d.createVariable("orography", "f4", ("lat", "lon"))
    static.units = "m"
    static[:] = rng.uniform(0, 3000, (3, 5))
    packed = d.createVariable("t2m", "i2", ("time", "lat", "lon"), fill_value=-32767)
    packed.scale_factor = 0.0017
    packed.add_offset = 280.25
    packed.units = "K"
    packed[:] = np.ma.masked_greater(280 + 20 * rng.normal(size=shape), 300)
    ranged = d.createVariable("ranged", "i2", ("time", "lat", "lon"))
    ranged.valid_range = np.array([-50, 50], "i2")
    ranged.missing_value = np.int16(7)
    ranged[:] = rng.integers(-100, 100, shape)
    ranged[0, 0, 0] = 7
    default = d.createVariable("default_fill", "f4", ("time", "lat", "lon"))
    default[1] = rng.normal(size=(3, 5))
    unsigned = d.createVariable("unsigned", "i1", ("time", "lat", "lon"), fill_value=np.int8(-1))
    unsigned.set_auto_maskandscale(False)
    unsigned.setncattr("_Unsigned", "true")
    unsigned.scale_factor = 0.5
    unsigned[:] = rng.integers(-128, 127, shape).astype("i1")
    text = d.createVariable("station", "S1", ("pair", "chars"))
    text[:] = netCDF4.stringtochar(np.array([b"Genf", b"Bern"], "S7"))
    scalar = d.createVariable("height", "f8", ())
    scalar.units = "m"
    scalar[...] = 2.0
    if extended:
        for name, kind in (("ubyte", "u1"), ("ushort", "u2"), ("uint", "u4"), ("int64", "i8"), ("uint64", "u8")):
            v = d.createVariable(name, kind, ("time", "lat"))
            v[:] = rng.integers(0, 200, (3, 3))


def values(v):
    """What unpacking must give: netCDF4-python's masked, scaled values as doubles."""
    v.set_auto_maskandscale(True)
    v.set_always_mask(True)
    data = np.ma.asarray(v[...])
    filled = np.ma.filled(data.astype("f8"), np.nan)
    return [None if np.isnan(x) else float(x) for x in filled.ravel()]


def attribute(x):
    if isinstance(x, str):
        return x
    flat = [float(y) for y in np.ravel(x)]
    return flat[0] if len(flat) == 1 else flat


expected = {}
for name, kind in FORMATS.items():
    path = os.path.join(HERE, name)
    with netCDF4.Dataset(path, "w", format=kind) as d:
        fill(d, kind in ("NETCDF3_64BIT_DATA", "NETCDF4"))
    with netCDF4.Dataset(path) as d:
        expected[name] = {
            "dimensions": {n: [len(x), x.isunlimited()] for n, x in d.dimensions.items()},
            "attributes": {n: attribute(d.getncattr(n)) for n in d.ncattrs()},
            "variables": {
                n: {
                    "type": str(v.dtype),
                    "dimensions": list(v.dimensions),
                    "attributes": {a: attribute(v.getncattr(a)) for a in v.ncattrs()},
                    "values": [] if v.dtype.kind == "S" else values(v),
                }
                for n, v in d.variables.items()
            },
        }

# A single record variable: its records follow each other without padding. Big and small enough to show it.
path = os.path.join(HERE, "one-record-variable.nc")
with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as d:
    d.createDimension("time", None)
    d.createDimension("x", 3)
    v = d.createVariable("a", "i1", ("time", "x"))
    v[:] = np.arange(12).reshape(4, 3)
    expected["one-record-variable.nc"] = {
        "dimensions": {"time": [4, True], "x": [3, False]},
        "attributes": {},
        "variables": {"a": {"type": "int8", "dimensions": ["time", "x"], "attributes": {}, "values": list(range(12))}},
    }

# Big-endian, deflated, shuffled, checksummed, chunked; in a group.
path = os.path.join(HERE, "filters.nc")
with netCDF4.Dataset(path, "w") as d:
    g = d.createGroup("Grid")
    d.createDimension("y", 4)
    d.createDimension("x", 6)
    v = g.createVariable("rain", ">f4", ("y", "x"), zlib=True, shuffle=True, fletcher32=True, chunksizes=(3, 4), endian="big")
    v[:] = np.arange(24).reshape(4, 6) / 8
    expected["filters.nc"] = {
        "dimensions": {"y": [4, False], "x": [6, False]},
        "attributes": {},
        "variables": {"Grid/rain": {"type": "float32", "dimensions": ["y", "x"], "attributes": {}, "values": [i / 8 for i in range(24)]}},
    }

with open(os.path.join(HERE, "netcdf.json"), "w") as f:
    json.dump(expected, f, separators=(",", ":"))
    f.write("\n")

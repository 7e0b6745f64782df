"""Makes small NetCDF files in the dialects that people have. Every value says where it belongs:

    value(hours, level, lat, lon) = hours * 1000 + level + lat / 10 + (lon mod 360) / 1000

so that the tests know the truth without a second reader. /usr/bin/python3 test/golden/sources/make_sources.py (netCDF4 1.6.2)
"""

import os

import netCDF4
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def value(hours, level, lat, lon):
    h, p, y, x = np.meshgrid(hours, level, lat, np.mod(lon, 360), indexing="ij")
    return h * 1000.0 + p + y / 10 + x / 1000


def create(name, kind="NETCDF3_CLASSIC"):
    return netCDF4.Dataset(os.path.join(HERE, name), "w", format=kind)


def axis(d, name, values, kind="f8", size=None, **attributes):
    d.createDimension(name, size if size is not None else len(values))
    v = d.createVariable(name, kind, (name,))
    v.setncatts(attributes)
    v[:] = values
    return v


# ERA5 from the CDS since 2024: valid_time, pressure_level downwards, scalar number and expver along time.
with create("cds2024.nc", "NETCDF4") as d:
    axis(d, "valid_time", [1551398400, 1551420000], "i8", units="seconds since 1970-01-01", standard_name="time", calendar="proleptic_gregorian")
    axis(d, "pressure_level", [850.0, 500.0], units="hPa", positive="down", standard_name="air_pressure")
    axis(d, "latitude", [60.0, 59.0, 58.0], units="degrees_north", standard_name="latitude")
    axis(d, "longitude", [-2.0, -1.0, 0.0, 1.0], units="degrees_east", standard_name="longitude")
    d.createVariable("number", "i8", ()).standard_name = "realization"
    e = d.createVariable("expver", str, ("valid_time",))
    e[:] = np.array(["0001", "0001"], dtype=object)
    for name, long_name in (("z", "Geopotential"), ("t", "Temperature")):
        v = d.createVariable(name, "f4", ("valid_time", "pressure_level", "latitude", "longitude"), fill_value=np.float32(np.nan), zlib=True)
        v.setncatts({"long_name": long_name, "units": "m**2 s**-2" if name == "z" else "K", "coordinates": "number valid_time expver"})
        v[:] = value([0, 6], [850, 500], [60, 59, 58], [-2, -1, 0, 1])

# ERA5 from the CDS before: packed shorts, int hours since 1900, 10 m and 100 m winds, an invariant field with a time of its own.
with create("cds2019.nc", "NETCDF3_64BIT_OFFSET") as d:
    axis(d, "longitude", [350.0, 355.0, 0.0, 5.0], "f4", units="degrees_east", long_name="longitude")
    axis(d, "latitude", [60.0, 55.0, 50.0], "f4", units="degrees_north", long_name="latitude")
    axis(d, "time", [1044552, 1044553], "i4", 0, units="hours since 1900-01-01 00:00:00.0", long_name="time", calendar="gregorian")
    for k, (name, long_name) in enumerate((("u10", "10 metre U wind component"), ("u100", "100 metre U wind component"), ("t2m", "2 metre temperature"))):
        v = d.createVariable(name, "i2", ("time", "latitude", "longitude"), fill_value=-32767)
        v.setncatts({"scale_factor": 0.05, "add_offset": 500.0, "missing_value": np.int16(-32767), "units": "K" if k == 2 else "m s**-1", "long_name": long_name})
        field = value([0, 1], [k], [60, 55, 50], [350, 355, 0, 5])[:, 0]
        v[:] = np.ma.masked_array(field, mask=np.arange(24).reshape(2, 3, 4) == 13) if k == 2 else field

# CMIP: ascending latitudes, plev in Pa upwards, noleap days, bounds, a scalar height, 0 … 360.
with create("cmip.nc") as d:
    t = axis(d, "time", [59.0, 60.0], "f8", 0, units="days since 2019-01-01", calendar="noleap", bounds="time_bnds", axis="T", standard_name="time")
    axis(d, "plev", [85000.0, 50000.0], units="Pa", axis="Z", positive="down", standard_name="air_pressure")
    axis(d, "lat", [-60.0, 0.0, 60.0], units="degrees_north", axis="Y", standard_name="latitude", bounds="lat_bnds")
    axis(d, "lon", [0.0, 90.0, 180.0, 270.0], units="degrees_east", axis="X", standard_name="longitude")
    d.createDimension("bnds", 2)
    d.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = [[58.5, 59.5], [59.5, 60.5]]
    d.createVariable("lat_bnds", "f8", ("lat", "bnds"))[:] = 0
    h = d.createVariable("height", "f8", ())
    h.setncatts({"units": "m", "axis": "Z", "positive": "up", "standard_name": "height"})
    h[...] = 2.0
    v = d.createVariable("zg", "f4", ("time", "plev", "lat", "lon"), fill_value=np.float32(1e20))
    v.setncatts({"units": "m", "standard_name": "geopotential_height", "long_name": "Geopotential Height"})
    v[:] = value([0, 24], [850, 500], [-60, 0, 60], [0, 90, 180, 270])
    v = d.createVariable("tas", "f4", ("time", "lat", "lon"), fill_value=np.float32(1e20))
    v.setncatts({"units": "K", "standard_name": "air_temperature", "long_name": "Near-Surface Air Temperature", "coordinates": "height"})
    v[:] = value([0, 24], [2], [-60, 0, 60], [0, 90, 180, 270])[:, 0]
    v = d.createVariable("orog", "f4", ("lat", "lon"))
    v.setncatts({"units": "m", "standard_name": "surface_altitude", "long_name": "Surface Altitude"})
    v[:] = value([0], [0], [-60, 0, 60], [0, 90, 180, 270])[0, 0]

# A forecast: reference time and step, longitude before latitude, eastern columns first, a pressure given as a scalar.
with create("forecast.nc") as d:
    axis(d, "time", [0.0], units="hours since 2019-03-01")
    axis(d, "step", [6.0, 12.0], units="hours", standard_name="forecast_period")
    axis(d, "lon", [2.0, 1.0, 0.0, -1.0], units="degrees_east")
    axis(d, "lat", [40.0, 41.0, 42.0], units="degrees_north")
    p = d.createVariable("plev", "f8", ())
    p.units = "Pa"
    p[...] = 50000.0
    v = d.createVariable("z", "f8", ("time", "step", "lon", "lat"))
    v.setncatts({"units": "m2 s-2", "coordinates": "plev"})
    v[:] = value([6, 12], [500], [40, 41, 42], [2, 1, 0, -1])[:, 0].transpose(0, 2, 1)[None]

# Three members; and a curvilinear grid.
with create("members.nc") as d:
    axis(d, "number", [0, 1, 5], "i4", long_name="ensemble member")
    axis(d, "time", [0.0], units="hours since 2019-03-01")
    axis(d, "lat", [1.0, 0.0], units="degrees_north")
    axis(d, "lon", [0.0, 1.0, 2.0], units="degrees_east")
    v = d.createVariable("t2m", "f8", ("number", "time", "lat", "lon"))
    v.units = "K"
    v[:] = value([0, 1, 5], [0], [1, 0], [0, 1, 2])
with create("curvilinear.nc") as d:
    axis(d, "time", [0.0], units="hours since 2019-03-01")
    d.createDimension("y", 9)
    d.createDimension("x", 12)
    y, x = np.meshgrid(np.arange(9.0), np.arange(12.0), indexing="ij")
    # Rows climb to the north-east, so that no side follows a parallel.
    for name, units, places in (("lat", "degrees_north", 55 - y + 0.3 * x), ("lon", "degrees_east", 352 + x + 0.4 * y)):
        v = d.createVariable(name, "f8", ("y", "x"))
        v.units = units
        v[:] = places
    v = d.createVariable("t2m", "f4", ("time", "x", "y"))
    v.coordinates = "lat lon"
    v.units = "K"
    v[:] = (280 + 2 * (55 - y + 0.3 * x) + (352 + x + 0.4 * y) / 10).T[None]

"""Makes small Zarr stores in the shapes that public archives have (WeatherBench: names, level axis, southern rows first). Every value
says where it belongs, as in make_sources.py:

    value(hours, level, lat, lon) = hours * 1000 + level + lat / 10 + lon / 1000

pip install zarr==3.1.6 xarray==2026.9.0; python test/golden/sources/make_zarr.py
"""

import os
import shutil

import numpy as np
import xarray as xr
import zarr

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "zarr")
HOURS = np.array([0, 6, 12, 18])
LEVELS = np.array([500, 850, 1000])
LAT = np.array([-60.0, -30.0, 0.0, 30.0, 60.0])
LON = np.arange(8) * 45.0


def value(hours, level, lat, lon):
    h, p, y, x = np.meshgrid(hours, level, lat, lon, indexing="ij")
    return (h * 1000.0 + p + y / 10 + x / 1000).astype("f4")


def dataset():
    t2m = value(HOURS, [2], LAT, LON)[:, 0]
    t2m[1, 2, 3] = np.nan
    sp = value(HOURS, [100], LAT, LON)[:, 0]
    lsm = value([0], [0], LAT, LON)[0, 0]
    return xr.Dataset(
        {
            "geopotential": (("time", "level", "latitude", "longitude"), value(HOURS, LEVELS, LAT, LON), {"units": "m**2 s**-2"}),
            "2m_temperature": (("time", "latitude", "longitude"), t2m, {"units": "K", "long_name": "2 metre temperature"}),
            "surface_pressure": (("time", "latitude", "longitude"), sp, {"units": "Pa"}),
            "land_sea_mask": (("latitude", "longitude"), lsm, {"units": "(0 - 1)"}),
        },
        coords={
            "time": np.datetime64("2019-03-01", "ns") + HOURS * np.timedelta64(1, "h"),
            "level": ("level", LEVELS, {"units": "hPa"}),
            "latitude": ("latitude", LAT, {"units": "degrees_north"}),
            "longitude": ("longitude", LON, {"units": "degrees_east"}),
        },
    )


shutil.rmtree(HERE, ignore_errors=True)
fill = {"2m_temperature": {"_FillValue": np.float32(-9999)}, "time": {"units": "hours since 1959-01-01", "dtype": "int64"}}
packed = {"surface_pressure": {"dtype": "int32", "scale_factor": 0.01, "add_offset": 5.0, "_FillValue": -1}}

# Format 2, consolidated, blosc, dimensions in WeatherBench's older order.
ds = dataset().transpose("time", "level", "longitude", "latitude")
ds.to_zarr(os.path.join(HERE, "v2.zarr"), zarr_format=2, consolidated=True, encoding={**fill, **packed, "geopotential": {"chunks": (2, 3, 8, 5)}})

# Format 3, consolidated inline, shards whose chunks are parts of a field.
sharded = {"geopotential": {"chunks": (1, 1, 5, 4), "shards": (4, 3, 5, 8)}, "land_sea_mask": {"chunks": (5, 4)}}
dataset().to_zarr(os.path.join(HERE, "v3.zarr"), zarr_format=3, consolidated=True, encoding={**fill, **packed, **sharded})

# Format 3 without consolidation, the index at the start of the shard, a chunk that was never written, bytes in the other order.
path = os.path.join(HERE, "plain.zarr")
root = zarr.open_group(path, mode="w", zarr_format=3)
axes = {
    "time": (HOURS.astype("i8"), {"units": "hours since 2019-03-01", "calendar": "proleptic_gregorian"}),
    "lat": (LAT, {"units": "degrees_north"}),
    "lon": (LON, {"units": "degrees_east"}),
}
for name, (values, attributes) in axes.items():
    root.create_array(name, data=values, dimension_names=[name], attributes=attributes)
codec = zarr.codecs.ShardingCodec(
    chunk_shape=(1, 5, 8), codecs=[zarr.codecs.BytesCodec(endian="big"), zarr.codecs.ZstdCodec()], index_location="start"
)
t2m = root.create_array(
    "t2m",
    shape=(4, 5, 8),
    chunks=(2, 5, 8),
    dtype="f4",
    fill_value=float("nan"),
    serializer=codec,
    compressors=None,
    filters=None,
    dimension_names=["time", "lat", "lon"],
    attributes={"units": "K"},
)
t2m[0:1] = value(HOURS[:1], [2], LAT, LON)[:, 0]

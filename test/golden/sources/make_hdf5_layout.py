"""Makes a small data set in earth2mip's HDF5 layout. Every value says where it belongs:

    value(year, k, channel, lat, lon) = (year - 2000) * 512 + k + channel * 0.25 + lat / 128 + lon / 1024

exact in float32, so that the tests know the truth without a second reader. 2016 lacks its 31 December, as the published files do.
/usr/bin/python3 test/golden/sources/make_hdf5_layout.py (h5py 3.7.0, NumPy 1.24.2)
"""

import json
import os

import h5py
import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hdf5-layout")
CHANNELS = ["u10m", "t2m", "z500", "tcwv"]
LAT = [60.0, 30.0, 0.0]
LON = [0.0, 90.0, 180.0, 270.0]


def value(year, k):
    c, y, x = np.meshgrid(np.arange(len(CHANNELS)), LAT, LON, indexing="ij")
    return ((year - 2000) * 512 + k + c * 0.25 + y / 128 + x / 1024).astype("f4")


def year(folder, name, count, **options):
    os.makedirs(os.path.join(ROOT, folder), exist_ok=True)
    with h5py.File(os.path.join(ROOT, folder, f"{name}.h5"), "w") as f:
        data = np.stack([value(name, k) for k in range(count)])
        f.create_dataset("fields", data=data, **options)


year("train", 2015, 365, chunks=(1, 2, 3, 4), compression="gzip")
year("train", 2016, 365, chunks=(1, 4, 3, 4), compression="gzip")
year("out_of_sample", 2018, 20)
os.makedirs(os.path.join(ROOT, "stats"), exist_ok=True)
means = np.stack([value(2015, k) for k in range(365)]).mean(axis=0, keepdims=True, dtype="f8")
np.save(os.path.join(ROOT, "stats", "time_means.npy"), means.astype("f4"))
with open(os.path.join(ROOT, "data.json"), "w") as f:
    json.dump(
        {
            "attrs": {"description": "made by make_hdf5_layout.py"},
            "coords": {"channel": CHANNELS, "lat": LAT, "lon": LON},
            "dims": ["time", "channel", "lat", "lon"],
            "dhours": 24,
            "h5_path": "fields",
        },
        f,
        indent=1,
    )

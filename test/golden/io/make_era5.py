"""Statistics and points of the ERA5 test file as ecCodes decodes it → era5.json.

/usr/bin/python3 test/golden/io/make_era5.py ../shared/data/era5-2mt-2019-03-uk.grib      (ecCodes 2.28.0, NumPy 1.24)
"""

import json
import os
import sys

import eccodes as ec
import numpy as np

fields = []
count = 0
with open(sys.argv[1], "rb") as f:
    while (h := ec.codes_grib_new_from_file(f)) is not None:
        if count % 93 == 0 or count == 743:
            v = ec.codes_get_values(h).astype(np.float32).astype(float).reshape(33, 49)
            fields.append(
                {"index": count, "mean": v.mean(), "min": v.min(), "max": v.max(), "first": v[0, 0], "middle": v[16, 24], "last": v[32, 48]}
            )
        ec.codes_release(h)
        count += 1
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "era5.json"), "w") as f:
    json.dump({"messages": count, "fields": fields}, f, indent=1)
    f.write("\n")

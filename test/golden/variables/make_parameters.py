"""Short name, units and name of ECMWF parameter ids as ecCodes knows them → parameters.json.

/usr/bin/python3 test/golden/variables/make_parameters.py      (ecCodes 2.28.0). Ids as arguments replace those in the file.
"""

import json
import os
import sys

import eccodes as ec

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parameters.json")
ids = [int(a) for a in sys.argv[1:]] or [int(k) for k in json.load(open(path))]
out = {}
for number in sorted(set(ids)):
    for sample in ("GRIB2", "GRIB1"):
        h = ec.codes_grib_new_from_samples(sample)
        try:
            ec.codes_set(h, "paramId", number)
            out[number] = [ec.codes_get(h, k) for k in ("shortName", "units", "name")]
            break
        except ec.CodesInternalError:
            out[number] = None
        finally:
            ec.codes_release(h)
with open(path, "w") as f:
    f.write("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in out.items()) + "\n}\n")

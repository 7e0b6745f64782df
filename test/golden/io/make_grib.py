"""Makes the small GRIB files of this folder and grib.json, what ecCodes itself says about each field.

Run with Debian's Python (python3-eccodes, numpy):  /usr/bin/python3 test/golden/io/make_grib.py
Made with ecCodes 2.28.0. Grids run north to south and west to east in grib.json, whatever the file does.
"""

import json
import os
from datetime import datetime, timezone

import eccodes as ec
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MISSING = 1e20
expected = {}


def truth(lats, lons):
    """A field that names its own place: no two points have the same value, and half of them are negative."""
    lon = np.asarray(lons)[None, :]
    lat = np.asarray(lats)[:, None]
    return lat * 3.0 + np.sin(np.radians(lon)) * 40.0 - 165.0 + lon * 0.25


def message(edition, lats, lons, values, scanning=0, keys=(), packing=None, bitmap=False, bits=16):
    """One message. `values` is (lat, lon), rows as in `lats`; `scanning` is the flag byte (128 i-, 64 j+, 32 j first, 16 zigzag)."""
    h = ec.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
    i_negative, j_positive = bool(scanning & 128), bool(scanning & 64)
    columns_first, zigzag = bool(scanning & 32), bool(scanning & 16)
    lats, lons = list(lats), list(lons)
    assert lats[0] > lats[-1] and lons[0] < lons[-1]
    field = np.asarray(values, dtype=float)
    if j_positive:
        lats, field = lats[::-1], field[::-1]
    if i_negative:
        lons, field = lons[::-1], field[:, ::-1]
    lines = field.T.copy() if columns_first else field.copy()
    if zigzag:
        lines[1::2] = lines[1::2, ::-1].copy()
    ec.codes_set(h, "Ni", len(lons))
    ec.codes_set(h, "Nj", len(lats))
    ec.codes_set(h, "scanningMode", scanning)
    wrap = (lambda x: x % 360) if edition == 2 else (lambda x: x)
    ec.codes_set(h, "latitudeOfFirstGridPointInDegrees", lats[0])
    ec.codes_set(h, "latitudeOfLastGridPointInDegrees", lats[-1])
    ec.codes_set(h, "longitudeOfFirstGridPointInDegrees", wrap(lons[0]))
    ec.codes_set(h, "longitudeOfLastGridPointInDegrees", wrap(lons[-1]))
    ec.codes_set(h, "iDirectionIncrementInDegrees", abs(lons[1] - lons[0]))
    ec.codes_set(h, "jDirectionIncrementInDegrees", abs(lats[1] - lats[0]))
    ec.codes_set(h, "dataDate", 20190301)
    ec.codes_set(h, "dataTime", 600)
    for key, value in keys:
        ec.codes_set(h, key, value)
    ec.codes_set(h, "bitsPerValue", bits)
    if bitmap:
        ec.codes_set(h, "missingValue", MISSING)
        ec.codes_set(h, "bitmapPresent", 1)
        lines = np.where(np.isnan(lines), MISSING, lines)
    ec.codes_set_values(h, lines.ravel())
    if packing:
        ec.codes_set(h, "packingType", packing)
    return h


def describe(h, lats, lons, field):
    """What a reader must give, from ecCodes' decoding (`field` is only used to know the order of the points)."""
    when = lambda date, time: datetime(date // 10000, date // 100 % 100, date % 100, time // 100, time % 100, tzinfo=timezone.utc)
    get = lambda key: ec.codes_get(h, key)
    try:
        number = int(get("number"))
        if ec.codes_is_defined(h, "numberOfForecastsInEnsemble") and get("numberOfForecastsInEnsemble") == 0:
            number = None
    except ec.KeyValueNotFoundError:
        number = None
    return {
        "edition": int(get("edition")),
        "shortName": get("shortName"),
        "paramId": int(get("paramId")),
        "units": get("units"),
        "typeOfLevel": get("typeOfLevel"),
        "level": int(get("level")),
        "stepRange": get("stepRange"),
        "stepType": get("stepType"),
        "number": number,
        "packingType": get("packingType"),
        "dataTime": int(when(get("dataDate"), get("dataTime")).timestamp()),
        "validTime": int(when(get("validityDate"), get("validityTime")).timestamp()),
        "latitudes": [round(float(x), 6) for x in lats],
        "longitudes": [round(float(x), 6) for x in lons],
        "values": [None if np.isnan(x) else float(str(np.float32(x))) for x in np.asarray(field).ravel()],
    }


def decoded(h, lats, lons, scanning=0):
    """ecCodes' own values, put in order by undoing what `message` did."""
    ec.codes_set(h, "missingValue", MISSING)
    values = ec.codes_get_values(h)
    values = np.where(values == MISSING, np.nan, values)
    ny, nx = len(lats), len(lons)
    columns_first, zigzag = bool(scanning & 32), bool(scanning & 16)
    lines = values.reshape((nx, ny) if columns_first else (ny, nx))
    if zigzag:
        lines = lines.copy()
        lines[1::2] = lines[1::2, ::-1].copy()
    field = lines.T if columns_first else lines
    if scanning & 64:
        field = field[::-1]
    if scanning & 128:
        field = field[:, ::-1]
    if not zigzag:
        # ecCodes' geoiterator must agree on where each value is.
        where = {}
        for lat, lon, value in zip(ec.codes_get_array(h, "latitudes"), ec.codes_get_array(h, "longitudes"), values):
            where[round(lat, 3), round(lon % 360, 3) % 360] = value
        for i, lat in enumerate(lats):
            for j, lon in enumerate(lons):
                assert np.array_equal(where[round(lat, 3), round(lon % 360, 3) % 360], field[i, j], equal_nan=True)
    return field


def write(name, messages):
    """`messages`: (handle, lats, lons, scanning). Writes the file and its entry in grib.json."""
    out = []
    with open(os.path.join(HERE, name), "wb") as f:
        for h, lats, lons, scanning in messages:
            ec.codes_write(h, f)
            out.append(describe(h, lats, lons, decoded(h, lats, lons, scanning)))
            ec.codes_release(h)
    expected[name] = out


LATS, LONS = [58.0, 57.5, 57.0, 56.5], [-2.0, -1.5, -1.0, -0.5, 0.0, 0.5]
FIELD = truth(LATS, LONS)
HOLES = FIELD.copy()
HOLES[1, 2] = HOLES[3, 5] = HOLES[0, 0] = np.nan
BIG_LATS = [60.0 - i for i in range(12)]
BIG_LONS = [-10.0 + i for i in range(20)]
BIG = truth(BIG_LATS, BIG_LONS)
BIG_HOLES = np.where((BIG * 7).astype(int) % 5 == 0, np.nan, BIG)

# Every scanning mode, both editions (zigzag rows exist in edition 2 only), crossing Greenwich.
write(
    "scanning.grib",
    [
        (message(edition, LATS, LONS, FIELD, scanning, [("paramId", 167)]), LATS, LONS, scanning)
        for edition in (1, 2)
        for scanning in range(0, 256, 32 if edition == 1 else 16)
    ],
)

# Packings, without and with missing points, and constant fields.
packings = {
    1: ["grid_simple", "grid_second_order"],
    2: [
        "grid_simple",
        "grid_complex",
        "grid_complex_spatial_differencing",
        "grid_ieee",
        "grid_jpeg",
        "grid_png",
        "grid_ccsds",
    ],
}
messages = []
for edition, names in packings.items():
    for name in names:
        for field in (BIG, BIG_HOLES):
            if name == "grid_ieee" and field is BIG_HOLES:
                continue
            keys = [("paramId", 130), ("typeOfLevel", "isobaricInhPa"), ("level", 850)]
            h = message(edition, BIG_LATS, BIG_LONS, field, 0, keys, name, bitmap=field is BIG_HOLES)
            if ec.codes_get(h, "packingType") != name:
                print("not available:", edition, name, ec.codes_get(h, "packingType"))
                continue
            messages.append((h, BIG_LATS, BIG_LONS, 0))
    constant = np.full(FIELD.shape, 273.25)
    messages.append((message(edition, LATS, LONS, constant), LATS, LONS, 0))
write("packing.grib", messages)

# Bitmaps on scanning modes; 9999 is an honest value next to missing ones.
nines = HOLES.copy()
nines[2, 2] = 9999.0
write(
    "bitmap.grib",
    [
        (message(edition, LATS, LONS, field, scanning, [("paramId", 129)], bitmap=True, bits=24), LATS, LONS, scanning)
        for edition in (1, 2)
        for scanning in (0, 64, 224)
        for field in (HOLES, nines)
    ],
)

# Parameters, levels, steps, members.
pl = lambda param, level: [("paramId", param), ("typeOfLevel", "isobaricInhPa"), ("level", level)]
cases = []
for edition in (1, 2):
    cases += [(edition, pl(129, 500)), (edition, pl(130, 850)), (edition, pl(131, 1000)), (edition, pl(156, 500))]
    cases += [(edition, [("paramId", p)]) for p in (167, 165, 166, 151, 134, 172, 129, 137)]
    cases += [(edition, [("paramId", 167), ("stepUnits", "h"), ("startStep", 0), ("endStep", 9)])]
cases += [
    (1, [("paramId", 228), ("stepType", "accum"), ("startStep", 0), ("endStep", 6)]),
    (1, [("paramId", 228), ("stepType", "accum"), ("startStep", 6), ("endStep", 12)]),
    (1, [("setLocalDefinition", 1), ("localDefinitionNumber", 1), ("type", "pf"), ("numberOfForecastsInEnsemble", 51),
         ("perturbationNumber", 7), ("paramId", 167)]),
    (2, [("productDefinitionTemplateNumber", 8), ("paramId", 228228), ("stepType", "accum"), ("startStep", 6), ("endStep", 12)]),
    (2, [("productDefinitionTemplateNumber", 1), ("paramId", 167), ("perturbationNumber", 3), ("numberOfForecastsInEnsemble", 51)]),
    (2, [("paramId", 130), ("typeOfLevel", "isobaricInPa"), ("level", 50)]),
    (2, [("paramId", 130), ("typeOfLevel", "hybrid"), ("level", 137)]),
    (2, [("paramId", 167), ("stepUnits", "m"), ("startStep", 90), ("endStep", 90)]),
    (2, [("paramId", 260242)]),
]
write("product.grib", [(message(e, LATS, LONS, FIELD, 0, k), LATS, LONS, 0) for e, k in cases])

# Grids: regular Gaussian, global with rounded spacing, around the date line.
n = 8
gaussian = ec.codes_grib_new_from_samples("regular_gg_sfc_grib1")
gaussian2 = ec.codes_grib_new_from_samples("regular_gg_sfc_grib2")
out = []
for h in (gaussian, gaussian2):
    ec.codes_set(h, "N", n)
    ec.codes_set(h, "Ni", 4 * n)
    ec.codes_set(h, "Nj", 2 * n)
    # Gaussian latitudes from NumPy: the roots of the Legendre polynomial.
    lats = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(2 * n)[0]))[::-1]
    lons = np.arange(4 * n) * (360 / (4 * n))
    ec.codes_set(h, "latitudeOfFirstGridPointInDegrees", float(lats[0]))
    ec.codes_set(h, "latitudeOfLastGridPointInDegrees", float(lats[-1]))
    ec.codes_set(h, "longitudeOfFirstGridPointInDegrees", 0)
    ec.codes_set(h, "longitudeOfLastGridPointInDegrees", float(lons[-1]))
    ec.codes_set(h, "iDirectionIncrementInDegrees", 360 / (4 * n))
    ec.codes_set_values(h, truth(lats, lons).ravel())
    values = ec.codes_get_values(h).reshape(2 * n, 4 * n)
    out.append((h, lats, lons, values))
with open(os.path.join(HERE, "grid.grib"), "wb") as f:
    expected["grid.grib"] = []
    for h, lats, lons, values in out:
        ec.codes_write(h, f)
        expected["grid.grib"].append(describe(h, lats, lons, values))
    third = [i * 360 / 21 for i in range(21)]  # 17.142857…: rounded in both editions
    dateline = [170.0 + 5 * i for i in range(5)]
    west = [-60.0 + 5 * i for i in range(4)]
    for edition in (1, 2):
        for lons in (third, dateline, west):
            lats = [20.0, 10.0, 0.0, -10.0]
            field = truth(lats, lons)
            h = message(edition, lats, lons, field)
            ec.codes_write(h, f)
            got = ec.codes_get_values(h).reshape(field.shape)
            expected["grid.grib"].append(describe(h, lats, lons, got))

# One GRIB 2 message with three fields, the last two of which share its grid section.
multi = ec.codes_grib_multi_new()
singles = [message(2, LATS, LONS, FIELD + k, 0, pl(param, 500)) for k, param in enumerate((131, 132, 130))]
for h in singles:
    ec.codes_grib_multi_append(h, 4, multi)
with open(os.path.join(HERE, "multi.grib"), "wb") as f:
    ec.codes_grib_multi_write(multi, f)
expected["multi.grib"] = [describe(h, LATS, LONS, ec.codes_get_values(h).reshape(FIELD.shape)) for h in singles]

# Grids that are refused by name.
with open(os.path.join(HERE, "reduced.grib"), "wb") as f:
    h = ec.codes_grib_new_from_samples("reduced_gg_sfc_grib1")
    ec.codes_write(h, f)



def slim(name, i, m):
    """The fields of product.grib differ in their headers only: the first one keeps its values."""
    return {**m, "values": m["values"] if name != "product.grib" or i == 0 else []}


with open(os.path.join(HERE, "grib.json"), "w") as f:
    entries = [
        json.dumps(name) + ": [\n" + ",\n".join(json.dumps(slim(name, i, m), separators=(",", ":")) for i, m in enumerate(fields)) + "\n]"
        for name, fields in expected.items()
    ]
    f.write("{\n" + ",\n".join(entries) + "\n}\n")

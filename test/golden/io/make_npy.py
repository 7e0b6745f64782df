"""Makes the .npy files next to this script: arrays of several types as NumPy writes them.

Run with a Python that has NumPy: python make_npy.py
"""

import json
from pathlib import Path

import numpy as np

here = Path(__file__).parent
x = (np.arange(60, dtype=np.float64).reshape(3, 4, 5) - 17.25) * 1.7
x[0, 0, 1] = np.nan
x[2, 3, 4] = 1e-7
arrays = {
    "f2": x.astype(np.float16),
    "f4": x.astype(np.float32),
    "f8": x,
    "i2": np.arange(-6, 6, dtype=np.int16).reshape(3, 4),
    "u1": np.arange(250, 256, dtype=np.uint8),
}
for name, array in arrays.items():
    np.save(here / f"{name}.npy", array)
np.save(here / "fortran.npy", np.asfortranarray(x[0]))
np.save(here / "c8.npy", x[0].astype(np.complex64))

# Every rounding case of half precision: what NumPy makes of these singles.
rng = np.random.default_rng(7)
singles = np.concatenate(
    [
        rng.normal(size=300).astype(np.float32),
        (rng.normal(size=200) * 1e-6).astype(np.float32),
        np.float32([0, -0.0, 65504, 65519, 65520, 1e9, -1e9, 6e-8, 2.9e-8, 3e-8, 2**-14, 2**-14 - 2**-26, 1.00048828125, 1.00146484375]),
    ]
)
with np.errstate(over="ignore"):
    halves = singles.astype(np.float16).view(np.uint16)
json.dump(
    {
        "arrays": {k: [None if np.isnan(v) else float(np.float32(v)) for v in a.ravel()] for k, a in arrays.items()},
        "shapes": {k: list(a.shape) for k, a in arrays.items()},
        "singles": [float(v) for v in singles],
        "halves": [int(v) for v in halves],
    },
    open(here / "npy.json", "w"),
)

"""Golden numbers of the losses, computed by PyTorch, by neural-lam's metrics and by NumPy's FFT.

Run: python test/golden/training/losses.py PATH/TO/neural_lam/metrics.py    (a Python with torch and numpy)

Fields are small: batch 2, 2 lead times, 6x8 points, 3 features, a border of one cell, 4 members. Input values are written with
the results, so the test repeats nothing but the formulas.
"""
import importlib.util
import json
import pathlib
import sys

import numpy as np
import torch

spec = importlib.util.spec_from_file_location("metrics", sys.argv[1])
metrics = importlib.util.module_from_spec(spec)
spec.loader.exec_module(metrics)

torch.manual_seed(3)
B, T, H, W, F, M = 2, 2, 6, 8, 3, 4
double = torch.float64
members = torch.randn(B, M, T, H, W, F, dtype=double).round(decimals=3)
target = torch.randn(B, T, H, W, F, dtype=double).round(decimals=3)
prediction = members[:, 0]
valid = (torch.rand(B, T, H, W, F) > 0.2).double()
weight = torch.tensor([1.0, 2.0, 0.5], dtype=double)
diff_std = torch.tensor([0.5, 0.25, 2.0], dtype=double)
latitudes = np.linspace(75, 0, H)
interior = torch.zeros(H, W, dtype=torch.bool)
interior[1:-1, 1:-1] = True
per_var_std = diff_std / weight.sqrt()


def flat(x):
    return x.reshape(*x.shape[:-3], H * W, F)


def points(values, per_point=interior.double(), mask=None):
    """Mean over points, each feature over its own valid ones: (B, T, F)."""
    share = per_point[None, None, :, :, None].expand(B, T, H, W, F) * (1 if mask is None else mask)
    return (values * share).sum((2, 3)) / share.sum((2, 3))


def crps(fairness):
    skill = (members - target[:, None]).abs().mean(1)
    spread = (members[:, :, None] - members[:, None]).abs().sum((1, 2))
    return skill - spread * (fairness / (2 * M * (M - 1)) + (1 - fairness) / (2 * M * M))


def dct(x, axis):
    """Orthonormal DCT-II by an FFT of the field and its mirror image."""
    n = x.shape[axis]
    k = np.arange(n)
    mirrored = np.fft.fft(np.concatenate([x, np.flip(x, axis)], axis), axis=axis).take(k, axis)
    shape = [-1 if i == axis % x.ndim else 1 for i in range(x.ndim)]
    factor = np.exp(-1j * np.pi * k / (2 * n)) * np.where(k == 0, np.sqrt(0.25 / n), np.sqrt(0.5 / n))
    return (mirrored * factor.reshape(shape)).real


def spectrum(x):
    """Power of the interior by radius: (..., F, K)."""
    inner = x[..., 1:-1, 1:-1, :].numpy()
    h, w = inner.shape[-3:-1]
    square = dct(dct(inner, -3), -2) ** 2 / (h * w)
    radius = np.array([[round(min(h, w) * float(np.hypot(i / h, j / w))) for j in range(w)] for i in range(h)])
    return np.stack([square[..., radius == k, :].sum(-2) for k in range(radius.max() + 1)], axis=-1)


def pointwise(name, **settings):
    return getattr(torch.nn, name)(reduction="none", **settings)(prediction, target)


nl = {name: getattr(metrics, name)(flat(prediction), flat(target), per_var_std, interior.reshape(-1)) for name in
      ("wmse", "wmae", "nll", "crps_gauss")}
predicted_std = torch.rand(B, T, H, W, F, dtype=double).round(decimals=3) + 0.1
nl_std = {name: getattr(metrics, name)(flat(prediction), flat(target), flat(predicted_std), interior.reshape(-1)) for name in
          ("nll", "crps_gauss")}
cosine = torch.tensor(np.cos(np.deg2rad(latitudes)))
area = interior.double() * cosine[:, None]
amplitude = [np.sqrt(spectrum(x)) for x in (prediction, target)]
power = [np.log10(spectrum(x)) for x in (prediction, target)]
out = {
    "mse": nl["wmse"],
    # neural-lam divides by sqrt(w), py4cast multiplies by w: the same for squares only
    "mae": points(pointwise("L1Loss")) @ (weight / diff_std),
    "huber": points(pointwise("HuberLoss", delta=0.5)) @ (weight / diff_std),
    "smooth_l1": points(pointwise("SmoothL1Loss", beta=0.5)) @ (weight / diff_std),
    "mse_valid": points(pointwise("MSELoss"), mask=valid) @ (weight / diff_std**2),
    "mse_latitude": points(pointwise("MSELoss"), area) @ (weight / diff_std**2),
    "mse_plain": points(pointwise("MSELoss")).sum(-1),
    "nll": nl["nll"],
    "crps_gauss": nl["crps_gauss"],
    "nll_std": nl_std["nll"],
    "crps_gauss_std": nl_std["crps_gauss"],
    "crps_fair": points(crps(1)) @ (weight / diff_std),
    "crps_biased": points(crps(0)) @ (weight / diff_std),
    "crps_almost_fair": points(crps(0.95)) @ (weight / diff_std),
    "spectral": torch.tensor(((amplitude[0] - amplitude[1]) ** 2).sum(-1)) @ (weight / diff_std**2),
    "spectral_log": torch.tensor(((power[0] - power[1]) ** 2).mean(-1)) @ weight,
}
inputs = {"members": members, "target": target, "valid": valid, "std": predicted_std}
data = {
    "shape": [B, M, T, H, W, F],
    "weight": weight.tolist(),
    "diff_std": diff_std.tolist(),
    "latitudes": latitudes.tolist(),
    **{name: [float(v) for v in value.flatten()] for name, value in inputs.items()},
    "expected": {name: value.flatten().tolist() for name, value in out.items()},
}
path = pathlib.Path(__file__).parent / "losses.json"
path.write_text(json.dumps(data, separators=(",", ":")).replace('],"', '],\n"') + "\n")

"""Makes the golden files of the vision transformers from mfai's own implementations.

    PYTHONPATH=<checkout of mfai> python test/golden/models/vision_transformers.py

Run with a Python that has torch >= 2, mfai (https://github.com/meteofrance/mfai) and MONAI; written with torch 2.15, MONAI 1.6.1,
on the CPU in float64. No weights are stored: weights and inputs come from `noise`, a hash of integers that the tests compute too.
One file per model, {case: {
    "settings", "shape" (B, H, W, F), "outputs" (number),
    "keys"          state-dict keys with their shapes,
    "output"        (B, H, W, Fout) in evaluation,
    "loss"          sum(output * noise) / sqrt(numel) in training, every dropout set to 0,
    "gradients"     norms of its gradients, by the sorted names of the parameters; -1 where there is none,
}}, and "parameters": {"<grid> <in>-><out> <settings as JSON>": count}.
"""

import json
from pathlib import Path

import numpy as np
import torch
from mfai.pytorch.models.segformer import Segformer
from mfai.pytorch.models.swinunetr import SwinUNetR
from mfai.pytorch.models.unetrpp import UNetRPP

HERE = Path(__file__).parent
INPUT, SEED_OF_LOSS = 1000, 1001


def noise(shape, seed):
    """Values in [-1, 1): a hash of position and seed in 32-bit arithmetic."""
    with np.errstate(over="ignore"):
        h = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint32) * np.uint32(0x9E3779B1)
        h ^= np.uint32((seed + 1) * 0x85EBCA6B & 0xFFFFFFFF)
        for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39), (15, 1)):
            h ^= h >> np.uint32(shift)
            h *= np.uint32(factor)
    return torch.from_numpy((h / 2**31 - 1).astype(np.float32).reshape(tuple(shape)))


def fill(net):
    """Gives every tensor of the state dict values of a trained network's size, by its place among the sorted keys."""
    for seed, (key, tensor) in enumerate(sorted(net.state_dict().items())):
        if not tensor.is_floating_point():
            continue
        u = noise(tensor.shape, seed)
        if tensor.ndim > 1 and tensor.shape[0] > 1:
            tensor.copy_(u * (3 / tensor[0].numel()) ** 0.5)
        elif key.split(".")[-1] in ("weight", "g", "gamma", "running_var"):
            tensor.copy_(1 + 0.4 * u)
        else:
            tensor.copy_(0.3 * u)


def case(model, grid, inputs, outputs, **settings):
    torch.manual_seed(0)
    net = model(inputs, outputs, grid, model.settings_kls(**settings)).double()
    for module in net.modules():
        if isinstance(module, (torch.nn.Dropout, torch.nn.Dropout2d)):
            module.p = 0.0
    with torch.no_grad():
        fill(net)
    shape = (2, *grid, inputs)
    x = noise(shape, INPUT).double().permute(0, 3, 1, 2).contiguous()
    with torch.no_grad():
        output = net.eval()(x).permute(0, 2, 3, 1).contiguous()
    y = net.train()(x).permute(0, 2, 3, 1).contiguous()
    loss = (y * noise(y.shape, SEED_OF_LOSS)).sum() / y.numel() ** 0.5
    loss.backward()
    gradients = [-1.0 if p.grad is None else p.grad.norm().item() for _, p in sorted(net.named_parameters())]
    listed = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
    return dict(
        settings=listed,
        shape=list(shape),
        outputs=outputs,
        keys={k: list(v.shape) for k, v in net.state_dict().items()},
        output=output.float(),
        loss=loss.item(),
        gradients=torch.tensor(gradients),
    )


def parameters(model, *cases):
    counts = {}
    for grid, inputs, outputs, settings in cases:
        net = model(inputs, outputs, grid, model.settings_kls(**settings))
        count = sum(p.numel() for p in net.parameters())
        counts[f"{grid[0]}x{grid[1]} {inputs}->{outputs} {json.dumps(settings)}"] = count
    return counts


def segformer():
    small = dict(dims=(4, 6, 8, 12), heads=(1, 2, 2, 3), ff_expansion=(2, 2, 3, 1), decoder_dim=8, num_downsampling_chans=5)
    return {
        "small": case(Segformer, (64, 128), 3, 1, **small),
        "padded": case(Segformer, (45, 70), 3, 1, autopad_enabled=True, **{**small, "num_layers": (1, 2, 1, 1)}),
        "broadcast": case(Segformer, (64, 64), 2, 1, dims=8, heads=2, ff_expansion=2, kernel_and_stride=1, decoder_dim=8),
        "default": case(Segformer, (64, 64), 5, 1),
        "parameters": parameters(
            Segformer, ((64, 64), 21, 21, {}), ((64, 64), 1, 1, {}), ((64, 64), 46, 21, {}), ((64, 64), 3, 1, small)
        ),
    }


def swinunetr():
    small = dict(feature_size=12, num_heads=(1, 2, 3, 4))
    return {
        "small": case(SwinUNetR, (64, 96), 3, 1, **small),
        "padded": case(SwinUNetR, (45, 50), 3, 2, autopad_enabled=True, **{**small, "depths": (1, 3, 1, 1)}),
        "version_2": case(SwinUNetR, (64, 32), 2, 1, use_v2=True, normalize=False, norm_name="batch", **small),
        "default": case(SwinUNetR, (64, 64), 5, 1),
        "parameters": parameters(
            SwinUNetR, ((64, 64), 21, 21, {}), ((64, 64), 1, 1, {}), ((64, 64), 46, 21, {}), ((64, 64), 21, 21, {"use_v2": True})
        ),
    }


def unetrpp():
    small = dict(hidden_size=32, num_heads_encoder=2, num_heads_decoder=1, encoder_proj_sizes=(8, 6, 4, 4), decoder_proj_size=5)
    wide = dict(hidden_size=384, num_heads_encoder=16, num_heads_decoder=4, linear_upsampling=True)
    return {
        "torch": case(UNetRPP, (64, 96), 3, 1, **{**small, "depths": (1, 2, 1, 1)}),
        "manual": case(UNetRPP, (64, 32), 3, 1, attention_code="manual", linear_upsampling=True, **{**small, "depths": (1, 1, 1, 1)}),
        "padded": case(UNetRPP, (27, 50), 3, 1, autopad_enabled=True, **{**small, "depths": (1, 1, 1, 1)}),
        "others": case(
            UNetRPP, (32, 32), 2, 1, downsampling_rate=2, norm_name="batch", add_skip_connections=False,
            **{**small, "depths": (1, 1, 1, 1)},
        ),
        "default": case(UNetRPP, (64, 64), 5, 1),
        "parameters": parameters(
            UNetRPP, ((64, 64), 21, 21, {}), ((64, 64), 21, 21, {"linear_upsampling": True}), ((64, 64), 21, 21, wide),
            ((512, 640), 21, 21, {}), ((64, 64), 21, 21, {"attention_code": "manual"}),
        ),
    }  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    for make in (segformer, swinunetr, unetrpp):
        torch.save(make(), HERE / f"{make.__name__}.pt")

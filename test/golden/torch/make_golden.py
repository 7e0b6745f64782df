"""Golden files for packages/torch, computed by PyTorch. Run: /usr/bin/python3 test/golden/torch/make_golden.py

Written with torch 1.13.1 (Debian 12, python3-torch) and NumPy 1.24. Every file is small; running it again gives the same
tensors (the ZIP bytes of .pt files may differ).
"""
import base64
import collections
import json
import pathlib
import pickle
from typing import List

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)


def save(name, tensors):
    np.savez_compressed(HERE / name, **{k: v.detach().numpy() for k, v in tensors.items()})


def init():
    """Initial values right after manual_seed(123), which must be equal to the bit."""
    out = {}
    layers = {
        "linear": lambda: nn.Linear(7, 5),
        "conv": lambda: nn.Conv2d(3, 4, 3),
        "conv_groups": lambda: nn.Conv2d(4, 8, (3, 5), groups=2, bias=False),
        "conv_transpose": lambda: nn.ConvTranspose2d(4, 6, 2, groups=2),
        "embedding": lambda: nn.Embedding(10, 4, padding_idx=2),
        "batch_norm": lambda: nn.BatchNorm2d(3),
        "group_norm": lambda: nn.GroupNorm(2, 4),
        "layer_norm": lambda: nn.LayerNorm([3, 2]),
        "prelu": lambda: nn.PReLU(),
        "sequential": lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 1, 1)),
    }
    for name, make in layers.items():
        torch.manual_seed(123)
        for key, value in make().state_dict().items():
            out[f"{name}.{key}"] = value
    fills = {
        "uniform": lambda t: nn.init.uniform_(t, -2, 3),
        "normal": lambda t: nn.init.normal_(t, 1, 0.5),
        "trunc_normal": lambda t: nn.init.trunc_normal_(t, std=0.02),
        "trunc_normal_cut": lambda t: nn.init.trunc_normal_(t, 0.1, 1, -0.5, 0.7),
        "kaiming_uniform": lambda t: nn.init.kaiming_uniform_(t, nonlinearity="relu"),
        "kaiming_normal": lambda t: nn.init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"),
        "xavier_uniform": lambda t: nn.init.xavier_uniform_(t, 5 / 3),
        "xavier_normal": lambda t: nn.init.xavier_normal_(t),
    }
    for name, fill in fills.items():
        torch.manual_seed(123)
        out[f"init.{name}"] = fill(torch.empty(6, 4, 3))
    save("init.npz", out)


def layers():
    """Outputs of layers on one input, and the gradient of sum(output * k) with k = 0.1, 0.2, … along the flat output."""
    torch.manual_seed(7)
    x = torch.randn(2, 4, 6, 5)
    out = {"x": x}
    cases = {
        "conv_same": nn.Conv2d(4, 3, 3, padding="same", dilation=2),
        "conv_stride": nn.Conv2d(4, 3, (3, 2), stride=2, padding=(1, 0)),
        "conv_reflect": nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"),
        "conv_circular": nn.Conv2d(4, 3, 3, padding="same", padding_mode="circular"),
        "conv_groups": nn.Conv2d(4, 4, 3, groups=4, bias=False),
        "conv_transpose": nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1),
        "linear": nn.Linear(5, 3),
        "batch_norm": nn.BatchNorm2d(4),
        "batch_norm_average": nn.BatchNorm2d(4, momentum=None),
        "group_norm": nn.GroupNorm(2, 4),
        "layer_norm": nn.LayerNorm([6, 5]),
        "max_pool": nn.MaxPool2d(2, stride=1, padding=1),
        "avg_pool": nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
        "adaptive_pool": nn.AdaptiveAvgPool2d((3, 2)),
        "upsample_nearest": nn.Upsample(scale_factor=2),
        "upsample_bilinear": nn.UpsamplingBilinear2d(scale_factor=2),
        "upsample_size": nn.Upsample(size=(9, 11), mode="bilinear"),
        "upsample_bicubic": nn.Upsample(scale_factor=1.5, mode="bicubic", align_corners=True),
        "softmax": nn.Softmax(dim=1),
    }
    for name, layer in cases.items():
        for key, value in layer.state_dict().items():
            out[f"{name}/{key}"] = value.clone()
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        weights = torch.arange(1, y.numel() + 1).reshape(y.shape) * 0.1
        (y * weights).sum().backward()
        out[f"{name}:y"] = y
        out[f"{name}:grad"] = leaf.grad
        for key, value in layer.named_buffers():
            out[f"{name}:{key}"] = value
        if isinstance(layer, nn.BatchNorm2d):
            out[f"{name}:eval"] = layer.eval()(x)
    line = torch.linspace(-4, 4, 33)
    out["line"] = line
    for name in ["ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid",
                 "Hardtanh", "Hardshrink", "Softshrink", "Sigmoid", "LogSigmoid", "Tanh", "Tanhshrink", "Softplus", "Softsign",
                 "Softmax", "Softmin", "LogSoftmax", "Identity"]:
        out[f"activation:{name}"] = getattr(nn, name)()(line)
    y = torch.randn(2, 4, 6, 5)
    out["target"] = y
    classes = torch.tensor([[1, 0, 3, 2, 1], [0, 0, 2, 3, 1]])
    out["classes"] = classes
    for reduction in ["mean", "sum", "none"]:
        out[f"loss:mse:{reduction}"] = F.mse_loss(x, y, reduction=reduction)
        out[f"loss:l1:{reduction}"] = F.l1_loss(x, y, reduction=reduction)
        out[f"loss:smooth:{reduction}"] = F.smooth_l1_loss(x, y, reduction=reduction, beta=0.5)
        out[f"loss:huber:{reduction}"] = F.huber_loss(x, y, reduction=reduction, delta=0.5)
        out[f"loss:cross:{reduction}"] = F.cross_entropy(x[:, :, 0, :], classes, reduction=reduction, label_smoothing=0.1)
        out[f"loss:bce:{reduction}"] = F.binary_cross_entropy_with_logits(x, y.sigmoid(), reduction=reduction)
    save("layers.npz", out)


def instance_norms():
    """As `layers`, for InstanceNorm2d alone."""
    torch.manual_seed(8)
    x = torch.randn(3, 4, 6, 5) * 2 + 1
    out = {"x": x}
    cases = {
        "plain": nn.InstanceNorm2d(4),
        "affine": nn.InstanceNorm2d(4, eps=1e-3, affine=True),
        "tracking": nn.InstanceNorm2d(4, momentum=0.3, affine=True, track_running_stats=True),
    }
    for name, layer in cases.items():
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
        out.update({f"{name}/{key}": value.clone() for key, value in layer.state_dict().items()})
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        (y * torch.arange(1, y.numel() + 1).reshape(y.shape) * 0.1).sum().backward()
        out.update({f"{name}:y": y, f"{name}:grad": leaf.grad})
        out.update({f"{name}:{key}": value.clone() for key, value in layer.named_buffers()})
        out[f"{name}:eval"] = layer.eval()(x)
    save("instance_norm.npz", out)


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, Algorithm 2; PyTorch has none."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                b1, b2 = group["betas"]
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(torch.sign(b1 * m + (1 - b1) * p.grad), alpha=group["lr"])
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


def optim():
    """Twenty steps of each optimizer on a small regression in float64: losses and final parameters."""
    configs = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
        "sgd_momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.1, weight_decay=0.01),
        "sgd_nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, maximize=False),
        "adam": lambda p: torch.optim.Adam(p, lr=0.01),
        "adam_l2": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1, amsgrad=True),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
        "adamw_groups": lambda p: torch.optim.AdamW([{"params": p[:2], "lr": 0.02}, {"params": p[2:], "weight_decay": 0.3}], lr=0.01),
    }
    configs.update({
        "rmsprop": lambda p: torch.optim.RMSprop(p),
        "rmsprop_full": lambda p: torch.optim.RMSprop(
            p, lr=0.005, alpha=0.9, eps=1e-6, weight_decay=0.1, momentum=0.5, centered=True),
        "adagrad": lambda p: torch.optim.Adagrad(p),
        "adagrad_full": lambda p: torch.optim.Adagrad(
            p, lr=0.05, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2, eps=1e-6),
        "adamax": lambda p: torch.optim.Adamax(p),
        "adamax_full": lambda p: torch.optim.Adamax(p, lr=0.02, betas=(0.8, 0.99), eps=1e-4, weight_decay=0.1),
        # foreach: torch 1.13's loop over tensors takes one momentum factor twice, its foreach form and newer versions do not
        "nadam": lambda p: torch.optim.NAdam(p, foreach=True),
        "nadam_full": lambda p: torch.optim.NAdam(
            p, foreach=True, lr=0.02, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1, momentum_decay=0.1),
        "radam": lambda p: torch.optim.RAdam(p, lr=0.01),
        "radam_full": lambda p: torch.optim.RAdam(p, lr=0.02, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1),
        "lion": lambda p: Lion(p, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1),
    })
    out = {}
    torch.manual_seed(11)
    x = torch.randn(16, 3, dtype=torch.float64)
    y = (x[:, :1] * x[:, 1:2]).sin()
    start = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double().state_dict()
    out.update(x=x, y=y, **{f"start/{k}": v.clone() for k, v in start.items()})
    for clip in (False, True):
        for name, make in configs.items():
            if clip and name != "adamw":
                continue
            model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()
            model.load_state_dict(start)
            optimizer = make(list(model.parameters()))
            # NAdam keeps a product in the default type: let it be float64 like the rest.
            torch.set_default_dtype(torch.float64 if name.startswith("nadam") else torch.float32)
            losses, norms = [], []
            for _ in range(20):
                optimizer.zero_grad()
                loss = F.mse_loss(model(x), y)
                loss.backward()
                if clip:
                    norms.append(nn.utils.clip_grad_norm_(model.parameters(), 0.1))
                optimizer.step()
                losses.append(loss.detach())
            label = f"{name}_clipped" if clip else name
            out[f"{label}:losses"] = torch.stack(losses)
            if clip:
                out[f"{label}:norms"] = torch.stack(norms)
            out.update({f"{label}:{k}": v for k, v in model.state_dict().items()})
    torch.set_default_dtype(torch.float32)
    schedules = {
        "constant": lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor=0.25, total_iters=4),
        "step": lambda o: torch.optim.lr_scheduler.StepLR(o, 3, gamma=0.5),
        "lambda": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda n: 1 / (n + 1)),
        # transformers.get_cosine_schedule_with_warmup(optimizer, 5, 15), written out
        "cosine": lambda o: torch.optim.lr_scheduler.LambdaLR(
            o, lambda n: n / 5 if n < 5 else max(0.0, 0.5 * (1 + np.cos(np.pi * min(1, (n - 5) / 10))))),
        "multistep": lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [3, 7, 7, 12], gamma=0.5),
        "exponential": lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9),
        "onecycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=20, cycle_momentum=False),
        "onecycle_linear": lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 0.1, total_steps=20, pct_start=0.4, div_factor=5, final_div_factor=50, anneal_strategy="linear",
            cycle_momentum=False, three_phase=True),
        # transformers.get_inverse_sqrt_schedule(optimizer, 4), written out
        "inverse_sqrt": lambda o: torch.optim.lr_scheduler.LambdaLR(
            o, lambda n: n / 4 if n < 4 else 1 / np.sqrt(n / 4)),
        "warmup_step": lambda o: torch.optim.lr_scheduler.LambdaLR(
            o, lambda n: n / 4 if n < 4 else 0.5 ** ((n - 4) // 3)),
        "cosine_torch": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=20, eta_min=0.003),
    }
    for name, make in schedules.items():
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule = make(optimizer)
        rates = []
        for _ in range(20):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        out[f"schedule:{name}"] = torch.tensor(rates, dtype=torch.float64)
    metrics = [5, 4, 3, 3, 3, 3, 2.9999, 2.5, 2.6, 2.7, 2.6, 2.6, 2.6, 2.6, 2.6, 2.6, 2.4, 2.4, 2.4, 2.4]
    out["plateau:metrics"] = torch.tensor(metrics, dtype=torch.float64)
    for name, options in {
        "plateau": {"patience": 2},
        "plateau_full": {"patience": 1, "factor": 0.5, "threshold": 0.2, "threshold_mode": "abs", "cooldown": 2, "min_lr": 0.02},
        "plateau_max": {"mode": "max", "patience": 3},
    }.items():
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates = []
        for metric in metrics:
            schedule.step(metric)
            rates.append(optimizer.param_groups[0]["lr"])
        out[f"schedule:{name}"] = torch.tensor(rates, dtype=torch.float64)
    torch.manual_seed(0)
    layers = []
    for inputs in (4, 8, 8):
        layers += [nn.Conv2d(inputs, 8, 3, padding="same", bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Dropout(0.1), nn.Conv2d(8, 4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    x = torch.randn(2, 4, 16, 16)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), x)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
    out["cnn:losses"] = torch.stack(losses)
    save("optim.npz", out)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2)])
        self.scale = nn.Parameter(torch.full((2,), 1.5))
        self.register_buffer("mean", torch.tensor([0.5, -0.5]))

    def forward(self, x):
        y = F.relu(self.norm(self.conv(x))).mean(dim=1)
        for layer in self.layers:
            y = layer(y)
        return y * self.scale + self.mean


class Unknown:
    """A class that the reader does not know; importing it must not be needed."""

    def __init__(self):
        self.value = 3


class ScriptedMany(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("offset", torch.tensor([1.0, 2.0]))

    def forward(self, x, scale: float = 2.0):
        y = self.linear(x)
        return y * scale, {"offset": self.offset, "sum": y.sum()}

    @torch.jit.export
    def total(self, parts: List[torch.Tensor], count: int) -> torch.Tensor:
        out = torch.zeros(())
        for part in parts:
            out = out + part.sum()
        return out * count


def files():
    torch.manual_seed(5)
    net = Net()
    net.train()
    for _ in range(2):
        net(torch.randn(2, 2, 4, 4))
    net.eval()
    x = torch.randn(2, 2, 4, 4)
    torch.save(net.state_dict(), HERE / "net.pt")
    torch.save(net.state_dict(), HERE / "net-legacy.pt", _use_new_zipfile_serialization=False)
    save("net.npz", {"x": x, "y": net(x), **{f"state/{k}": v for k, v in net.state_dict().items()}})

    base = torch.arange(12, dtype=torch.float32)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    net(x).sum().backward()
    optimizer.step()
    checkpoint = {
        "state_dict": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 7,
        "big": 2**70,
        "negative": -5,
        "rate": 1e-3,
        "name": "Größe",
        "flags": [True, False, None],
        "shape": torch.Size([2, 3]),
        "dtype": torch.bfloat16,
        "device": torch.device("cpu"),
        "names": {"a", "b"},
        "unknown": Unknown(),
        "numpy": np.float64(2.5),
        "tensors": {
            "view": base[2:8].reshape(2, 3),
            "base": base,
            "transposed": torch.arange(6).reshape(2, 3).t(),
            "bfloat16": torch.tensor([1.5, -2.0]).bfloat16(),
            "float16": torch.tensor([0.5, 65504.0]).half(),
            "bool": torch.tensor([True, False]),
            "uint8": torch.tensor([0, 255], dtype=torch.uint8),
            "int8": torch.tensor([-128, 127], dtype=torch.int8),
            "int16": torch.tensor([-3], dtype=torch.int16),
            "int32": torch.tensor([[1 << 30]], dtype=torch.int32),
            "int64": torch.tensor([1 << 60]),
            "float64": torch.tensor(np.pi, dtype=torch.float64),
            "complex64": torch.tensor([1 + 2j]),
            "empty": torch.zeros(0, 3),
            "parameter": nn.Parameter(torch.tensor([4.0])),
        },
    }
    torch.save(checkpoint, HERE / "checkpoint.pt")

    torch.manual_seed(9)
    simple = torch.jit.script(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))
    simple.save(str(HERE / "script.pt"))
    many = torch.jit.script(ScriptedMany())
    many.save(str(HERE / "script-many.pt"))
    x = torch.randn(4, 3)
    y, extra = many(x, 3.0)
    save("script.npz", {"x": x, "simple": simple(x), "y": y, "sum": extra["sum"], "weight": many.linear.weight})


def pickles():
    """One nested value under every pickle protocol, as base64."""
    shared = [1, 2]
    value = {
        "int": [0, 1, -1, 255, 256, 65535, 65536, -(2**31), 2**31, 2**53, -(2**53) - 1, 2**100, -(2**100)],
        "float": [0.0, -1.5, 1e300, float("inf"), float("-inf"), float("nan")],
        "text": ["", "Größe", "\U0001f327", "back\\slash\nline", "x" * 300],
        "bytes": [b"", b"\x00\xff", bytearray(b"ab")],
        "other": [None, True, False, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "shared": [shared, shared],
        "set": [{1, 2}, frozenset({3})],
        "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
        ("tuple", "key"): 5,
    }
    cycle = []
    cycle.append(cycle)
    out = {str(p): base64.b64encode(pickle.dumps(value, protocol=p)).decode() for p in range(6)}
    out["cycle"] = base64.b64encode(pickle.dumps(cycle)).decode()
    out["system"] = base64.b64encode(b"cos\nsystem\n(S'echo unsafe'\ntR.").decode()
    (HERE / "pickles.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    pickles()
    init()
    layers()
    instance_norms()
    optim()
    files()
    for path in sorted(HERE.iterdir()):
        print(f"{path.stat().st_size:8d}  {path.name}")

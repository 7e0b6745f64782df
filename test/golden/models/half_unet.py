"""Makes the golden files of HalfUNet: weights, an input and the output of an independent PyTorch implementation.

    /usr/bin/python3 test/golden/models/half_unet.py

Written with torch 1.13.1 on the CPU in float32. The layers carry the names that mfai's and py4cast's HalfUNet give
them, so the files also prove that a checkpoint with those keys loads. Each case is one `.pt` file:
    plain.pt      {"settings", "state_dict", "input" (B,H,W,F), "output" (B,H,W,Fout), "train_output", "running_mean"}
    ghost.pt      the same with ghost modules, bias and dilation 2
    padded.pt     odd grid, centre padding, absolute position embedding, Tanh
    state_dict.pt   the weights of plain.pt as `torch.save(net.state_dict(), …)` writes them
    lightning.ckpt  as Lightning writes it: keys with "model.", other buffers, optimiser states, hyper-parameters
"""

from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


def conv(i, o, k, d=1, bias=False, groups=1):
    return nn.Conv2d(i, o, k, padding=d * (k // 2), dilation=d, bias=bias, groups=groups)


class Ghost(nn.Module):
    def __init__(self, i, o, d, bias):
        super().__init__()
        self.conv = conv(i, o // 2, 3, d, bias)
        self.sepconv = conv(o // 2, o // 2, 3, 1, bias, groups=o // 2)
        self.bn = nn.BatchNorm2d(o)

    def forward(self, x):
        a = self.conv(x)
        return self.bn(torch.cat((a, self.sepconv(a)), 1)).relu()


class Position(nn.Module):
    def __init__(self, c, h, w):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.randn(1, c, h, w) * 0.1)

    def forward(self, x):
        return x + self.pos_embedding


def stage(name, i, s, h, w):
    f, d, bias = s["num_filters"], s["dilation"], s["bias"]
    if s["use_ghost"]:
        parts = [(f"{name}ghost1", Ghost(i, f, d, bias)), (f"{name}ghost2", Ghost(f, f, d, bias))]
    else:
        parts = []
        for n, c in ((1, i), (2, f)):
            parts += [
                (f"{name}conv{n}", conv(c, f, 3, d, bias)),
                (f"{name}norm{n}", nn.BatchNorm2d(f)),
                (f"{name}relu{n}", nn.ReLU()),
            ]
    layers = nn.Sequential()
    if s["absolute_pos_embed"]:
        for n, module in enumerate([Position(i, h, w)] + [m for _, m in parts]):
            layers.add_module(str(n), module)
    else:
        for label, module in parts:
            layers.add_module(label, module)
    return layers


class HalfUNet(nn.Module):
    def __init__(self, i, o, s, h, w):
        super().__init__()
        f = s["num_filters"]
        H, W = -(-h // 16) * 16, -(-w // 16) * 16
        for n in range(5):
            setattr(self, f"encoder{n + 1}", stage(f"enc{n + 1}", i if n == 0 else f, s, H >> n, W >> n))
        self.decoder = stage("decoder", f, s, H, W)
        self.outconv = conv(f, o, 1, bias=s["bias"])
        self.last = getattr(nn, s["last_activation"])()

    def forward(self, x):
        x = x.permute(0, 3, 1, 2)
        h, w = x.shape[2:]
        dh, dw = -h % 16, -w % 16
        x = nn.functional.pad(x, (dw // 2, dw - dw // 2, dh // 2, dh - dh // 2))
        total = e = self.encoder1(x)
        for n in range(1, 5):
            e = getattr(self, f"encoder{n + 1}")(nn.functional.max_pool2d(e, 2))
            total = total + nn.functional.interpolate(e, scale_factor=2**n, mode="bilinear", align_corners=True)
        y = self.last(self.outconv(self.decoder(total)))
        y = y[:, :, dh // 2 : dh // 2 + h, dw // 2 : dw // 2 + w]
        return y.permute(0, 2, 3, 1).contiguous()


DEFAULTS = dict(
    num_filters=4, dilation=1, bias=False, use_ghost=False, last_activation="Identity", absolute_pos_embed=False
)


def make(name, i, o, h, w, **changes):
    torch.manual_seed(7)
    s = {**DEFAULTS, **changes}
    net = HalfUNet(i, o, s, h, w)
    for module in net.modules():  # statistics as after training, so that evaluation mode means something
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    x = torch.randn(2, h, w, i)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    with torch.no_grad():
        output = net.eval()(x)
        train_output = net.train()(x)
    running = {k: v for k, v in net.state_dict().items() if k.endswith("running_mean")}
    torch.save(
        dict(settings=s, state_dict=state, input=x, output=output, train_output=train_output, running_mean=running),
        HERE / f"{name}.pt",
    )
    return state


class Hyperparameters:
    """Stands for the object that py4cast pickles into its checkpoints; a reader must not need the class."""

    def __init__(self):
        self.model_name = "halfunet"


if __name__ == "__main__":
    state = make("plain", 5, 3, 16, 32)
    torch.save(state, HERE / "state_dict.pt")
    make("ghost", 3, 2, 32, 16, use_ghost=True, bias=True, dilation=2)
    make("padded", 3, 2, 13, 18, num_filters=2, absolute_pos_embed=True, last_activation="Tanh")
    lightning = {f"model.{k}": v for k, v in state.items()}
    lightning["grid_static_features"] = torch.zeros(1, 4)
    lightning["loss_weights"] = torch.ones(3)
    torch.save(
        {
            "epoch": 3,
            "state_dict": lightning,
            "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
            "hyper_parameters": {"hparams": Hyperparameters()},
        },
        HERE / "lightning.ckpt",
    )

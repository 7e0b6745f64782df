"""The Python side of bench/zoo-step.mjs: train steps of convolutional networks and AFNO, written in plain PyTorch with the layers of mfai's
and FourCastNet's, as py4cast trains them: float32, features last in the batch, permuted to contiguous NCHW. Reads "model steps" lines from
stdin and answers the seconds of each step as JSON. Arguments: threads (0: as it comes), batch, size, inputs, outputs.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def conv(i, o, k=3, **options):
    return nn.Conv2d(i, o, k, padding=options.pop("padding", k // 2), bias=False, **options)


def block(i, o):
    return nn.Sequential(conv(i, o), nn.BatchNorm2d(o), nn.ReLU(True), conv(o, o), nn.BatchNorm2d(o), nn.ReLU(True))


def unit(layer, o):
    return nn.Sequential(layer, nn.BatchNorm2d(o), nn.ReLU(True))


class HalfUNet(nn.Module):
    def __init__(self, i, o, width=64):
        super().__init__()
        self.stages = nn.ModuleList([block(i if n == 0 else width, width) for n in range(5)])
        self.decoder, self.last = block(width, width), nn.Conv2d(width, o, 1, bias=False)

    def forward(self, x):
        total = e = self.stages[0](x)
        for n in range(1, 5):
            e = self.stages[n](F.max_pool2d(e, 2))
            total = total + F.interpolate(e, scale_factor=2**n, mode="bilinear", align_corners=True)
        return self.last(self.decoder(total))


class Decoder(nn.Module):
    """Doubling with skips, from the deepest map up."""

    def __init__(self, widths, o):
        super().__init__()
        pairs = list(zip(widths[:0:-1], widths[-2::-1]))
        self.ups = nn.ModuleList([nn.ConvTranspose2d(a, b, 2, 2) for a, b in pairs])
        self.blocks = nn.ModuleList([block(2 * b, b) for _, b in pairs])
        self.last = nn.Conv2d(widths[0], o, 1)

    def forward(self, maps):
        x = maps[-1]
        for up, stage, skip in zip(self.ups, self.blocks, maps[-2::-1]):
            x = stage(torch.cat((up(x), skip), 1))
        return self.last(x)


class UNet(nn.Module):
    def __init__(self, i, o, width=64):
        super().__init__()
        widths = [width * 2**n for n in range(5)]
        self.stages = nn.ModuleList([block(a, b) for a, b in zip([i] + widths, widths)])
        self.decoder = Decoder(widths, o)

    def forward(self, x):
        maps = []
        for n, stage in enumerate(self.stages):
            x = stage(F.max_pool2d(x, 2) if n else x)
            maps.append(x)
        return self.decoder(maps)


class Residual(nn.Module):
    def __init__(self, i, o, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = conv(i, o, stride=stride, padding=dilation, dilation=dilation), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv(o, o, padding=dilation, dilation=dilation), nn.BatchNorm2d(o)
        self.short = nn.Sequential(conv(i, o, 1, stride=stride), nn.BatchNorm2d(o)) if i != o else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), True)))
        return F.relu(y + self.short(x), True)


class ResNet18(nn.Module):
    widths = [64, 64, 128, 256, 512]

    def __init__(self, i, output_stride=32):
        super().__init__()
        stem = unit(conv(i, 64, 7, stride=2), 64)
        stages, stride = [stem], 4
        for n, (a, b) in enumerate(zip([64, 64, 128, 256], self.widths[1:])):
            dilate = n > 0 and stride * 2 > output_stride
            dilation = 2 ** (n - 1 - {8: 1, 16: 2, 32: 3}[output_stride] + 1) if dilate else 1
            stride *= 1 if n == 0 or dilate else 2
            first = Residual(a, b, 1 if n == 0 or dilate else 2, dilation)
            layers = [first, Residual(b, b, 1, dilation)]
            stages.append(nn.Sequential(*([nn.MaxPool2d(3, 2, 1)] if n == 0 else []), *layers))
        self.stages = nn.ModuleList(stages)

    def forward(self, x):
        maps = [x]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class CustomUNet(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.encoder = ResNet18(i)
        self.decoder = Decoder([i] + ResNet18.widths, o)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def separable(i, o, dilation=1):
    return nn.Sequential(conv(i, i, padding=dilation, dilation=dilation, groups=i), conv(i, o, 1))


class Aspp(nn.Module):
    def __init__(self, i, o, make):
        super().__init__()
        self.convs = nn.ModuleList([unit(conv(i, o, 1), o)] + [unit(make(i, o, d), o) for d in (12, 24, 36)])
        self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), unit(conv(i, o, 1), o))
        self.project = nn.Sequential(unit(conv(5 * o, o, 1), o), nn.Dropout(0.5))

    def forward(self, x):
        mean = F.interpolate(self.mean(x), size=x.shape[-2:], mode="bilinear", align_corners=False)
        return self.project(torch.cat([c(x) for c in self.convs] + [mean], 1))


class DeepLabV3(nn.Module):
    def __init__(self, i, o, width=256):
        super().__init__()
        full = lambda a, b, d: conv(a, b, padding=d, dilation=d)  # noqa: E731
        self.encoder = ResNet18(i, 8)
        self.decoder = nn.Sequential(Aspp(512, width, full), unit(conv(width, width), width))
        self.head = nn.Sequential(nn.Conv2d(width, o, 1), nn.UpsamplingBilinear2d(scale_factor=8))

    def forward(self, x):
        return self.head(self.decoder(self.encoder(x)[-1]))


class DeepLabV3Plus(nn.Module):
    def __init__(self, i, o, width=256):
        super().__init__()
        self.encoder = ResNet18(i, 16)
        self.coarse = nn.Sequential(
            Aspp(512, width, separable), unit(separable(width, width), width), nn.UpsamplingBilinear2d(scale_factor=4)
        )
        self.fine = unit(conv(64, 48, 1), 48)
        self.join = unit(separable(48 + width, width), width)
        self.head = nn.Sequential(nn.Conv2d(width, o, 1), nn.UpsamplingBilinear2d(scale_factor=4))

    def forward(self, x):
        maps = self.encoder(x)
        return self.head(self.join(torch.cat((self.coarse(maps[-1]), self.fine(maps[2])), 1)))


class Filter(nn.Module):
    """FourCastNet's AFNO2D: real and imaginary parts by einsum."""

    def __init__(self, c, blocks):
        super().__init__()
        self.blocks, s = blocks, c // blocks
        self.w1, self.w2 = (nn.Parameter(0.02 * torch.randn(2, blocks, s, s)) for _ in range(2))
        self.b1, self.b2 = (nn.Parameter(0.02 * torch.randn(2, blocks, s)) for _ in range(2))

    def forward(self, x):
        b, h, w, c = x.shape
        z = torch.fft.rfft2(x, dim=(1, 2), norm="ortho").reshape(b, h, w // 2 + 1, self.blocks, -1)
        mix = lambda a, m: torch.einsum("...bi,bio->...bo", a, m)  # noqa: E731
        re = F.relu(mix(z.real, self.w1[0]) - mix(z.imag, self.w1[1]) + self.b1[0])
        im = F.relu(mix(z.imag, self.w1[0]) + mix(z.real, self.w1[1]) + self.b1[1])
        re2 = mix(re, self.w2[0]) - mix(im, self.w2[1]) + self.b2[0]
        im2 = mix(im, self.w2[0]) + mix(re, self.w2[1]) + self.b2[1]
        z = torch.view_as_complex(F.softshrink(torch.stack([re2, im2], -1), 0.01)).reshape(b, h, w // 2 + 1, c)
        return torch.fft.irfft2(z, s=(h, w), dim=(1, 2), norm="ortho") + x


class AfnoBlock(nn.Module):
    def __init__(self, c, blocks):
        super().__init__()
        self.norm1, self.norm2, self.filter = nn.LayerNorm(c), nn.LayerNorm(c), Filter(c, blocks)
        self.mlp = nn.Sequential(nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c))

    def forward(self, x):
        x = self.filter(self.norm1(x)) + x
        return self.mlp(self.norm2(x)) + x


class Afno(nn.Module):
    def __init__(self, i, o, c=256, depth=4, patch=8, blocks=8, size=256):
        super().__init__()
        self.p, self.o = patch, o
        self.embed = nn.Conv2d(i, c, patch, patch)
        self.position = nn.Parameter(torch.zeros(1, size // patch, size // patch, c))
        self.body = nn.Sequential(*[AfnoBlock(c, blocks) for _ in range(depth)])
        self.head = nn.Linear(c, o * patch * patch, bias=False)

    def forward(self, x):
        y = self.head(self.body(self.embed(x).permute(0, 2, 3, 1) + self.position))
        b, h, w, _ = y.shape
        y = y.reshape(b, h, w, self.p, self.p, self.o).permute(0, 5, 1, 3, 2, 4)
        return y.reshape(b, self.o, h * self.p, w * self.p)


MODELS = {
    "halfunet": HalfUNet, "unet": UNet, "customunet": CustomUNet, "deeplabv3": DeepLabV3, "deeplabv3plus": DeepLabV3Plus, "afno": Afno,
}


def make_step(name, batch, size, inputs, outputs):
    torch.manual_seed(0)
    net = MODELS[name](inputs, outputs, **({"size": size} if name == "afno" else {})).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.95), foreach=True)
    x = torch.randn(batch, size, size, inputs)
    target = torch.randn(batch, size, size, outputs)

    def step():
        optimizer.zero_grad(set_to_none=True)
        y = net(x.permute(0, 3, 1, 2).contiguous()).permute(0, 2, 3, 1)
        loss = (y - target).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, sum(p.numel() for p in net.parameters())


if __name__ == "__main__":
    threads, *shape = (int(argument) for argument in sys.argv[1:])
    if threads:
        torch.set_num_threads(threads)
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    steps = {}
    for line in sys.stdin:
        name, count = line.split()
        if name not in steps:
            steps = {name: make_step(name, *shape)}  # one network at a time
        step, parameters = steps[name]
        times = []
        for _ in range(int(count)):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        print(json.dumps({"seconds": times, "parameters": parameters}), flush=True)

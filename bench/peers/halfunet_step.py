"""The Python side of bench/halfunet-step.mjs: the same train step on the same libtorch. Reads one line per request from stdin
("fp32-contiguous", "fp32-channels-last" or "bf16-channels-last" and a number of steps), answers the seconds of each step as JSON. The network is written
here in plain PyTorch, as py4cast trains it: features last in the batch, permuted to contiguous NCHW.
"""

import json
import sys
import time

import torch
from torch import nn

BATCH, SIZE, INPUTS, OUTPUTS, FILTERS = 2, 256, 30, 21, 64


def stage(i):
    layers = []
    for c in (i, FILTERS):
        layers += [nn.Conv2d(c, FILTERS, 3, padding=1, bias=False), nn.BatchNorm2d(FILTERS), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class HalfUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([stage(INPUTS if n == 0 else FILTERS) for n in range(5)])
        self.ups = nn.ModuleList([nn.UpsamplingBilinear2d(scale_factor=2**n) for n in range(1, 5)])
        self.pool = nn.MaxPool2d(2)
        self.decoder = stage(FILTERS)
        self.last = nn.Conv2d(FILTERS, OUTPUTS, 1, bias=False)

    def forward(self, x):
        total = e = self.stages[0](x)
        for n in range(4):
            e = self.stages[n + 1](self.pool(e))
            total = total + self.ups[n](e)
        return self.last(self.decoder(total))


def make_step(mode):
    torch.manual_seed(0)
    channels_last = mode.endswith("channels-last")
    bf16 = mode.startswith("bf16")
    net = HalfUNet().train()
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.95), foreach=True)
    x = torch.randn(BATCH, SIZE, SIZE, INPUTS)
    target = torch.randn(BATCH, SIZE, SIZE, OUTPUTS)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            planes = x.permute(0, 3, 1, 2)
            y = net(planes if channels_last else planes.contiguous())
        y = y.permute(0, 2, 3, 1).float()
        loss = (y - target).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    # The first line says how many threads Python would use by itself; an argument of 0 leaves it at that.
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    if int(sys.argv[1]):
        torch.set_num_threads(int(sys.argv[1]))
    steps = {}
    for line in sys.stdin:
        mode, count = line.split()
        step = steps.setdefault(mode, None) or make_step(mode)
        steps[mode] = step
        times = []
        for _ in range(int(count)):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)

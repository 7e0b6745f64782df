"""The Python side of bench/halfunet-inference.mjs: forwards of HalfUNet (64 filters) in evaluation mode. Reads one line per request from
stdin (a mode and a number of forwards) and answers the CPU and wall seconds of each as JSON. Modes: "fp32" (contiguous, as py4cast runs it),
"bf16" (autocast, channels last) and "compiled" (the same under torch.compile, PyTorch 2 only). The network is written here in plain PyTorch.
"""

import json
import sys
import time

import torch
from torch import nn

BATCH, SIZE, INPUTS, OUTPUTS, FILTERS = 2, 256, 21, 21, 64


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


def make(mode):
    torch.manual_seed(0)
    net = HalfUNet().eval()
    if mode != "fp32":
        net = net.to(memory_format=torch.channels_last)
    run = torch.compile(net) if mode == "compiled" else net
    x = torch.randn(BATCH, SIZE, SIZE, INPUTS)

    def forward():
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode != "fp32"):
            planes = x.permute(0, 3, 1, 2)
            return run(planes.contiguous() if mode == "fp32" else planes).permute(0, 2, 3, 1).float()

    forward()
    return forward


def able():
    modes = ["fp32", "bf16"]
    if hasattr(torch, "compile"):
        try:
            make("compiled")
            modes.append("compiled")
        except Exception:  # no C++ compiler, or a Python that TorchDynamo does not know
            pass
    return modes


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps({"torch": torch.__version__, "modes": able()}), flush=True)
    made = {}
    for line in sys.stdin:
        mode, count = line.split()
        forward = made.setdefault(mode, None) or make(mode)
        made[mode] = forward
        times = []
        for _ in range(int(count)):
            cpu, wall = time.process_time(), time.perf_counter()
            forward()
            times.append({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall})
        print(json.dumps(times), flush=True)

"""The Python side of bench/transformer-step.mjs: train steps and forecasts of the vision transformers in plain PyTorch, operation by operation
as mfai and MONAI compute them, as py4cast runs them: float32, features last in the batch, permuted to contiguous NCHW. Reads
"model train|infer count" lines from stdin and answers seconds as JSON. Arguments: threads (0: as it comes), batch, size, inputs, outputs.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class FeatureNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.g, self.b = nn.Parameter(torch.ones(1, d, 1, 1)), nn.Parameter(torch.zeros(1, d, 1, 1))

    def forward(self, x):
        std = torch.var(x, dim=1, unbiased=False, keepdim=True).sqrt()
        return (x - x.mean(1, keepdim=True)) / (std + 1e-5) * self.g + self.b


class Reduced(nn.Module):
    """Segformer's attention."""

    def __init__(self, d, heads, r):
        super().__init__()
        self.heads, self.norm = heads, FeatureNorm(d)
        self.q, self.out = nn.Conv2d(d, d, 1, bias=False), nn.Conv2d(d, d, 1, bias=False)
        self.kv = nn.Conv2d(d, 2 * d, r, r, bias=False)

    def forward(self, x):
        (b, d, h, w), m = x.shape, self.heads
        x = self.norm(x)
        q, k, v = (
            t.reshape(b, m, d // m, -1).transpose(2, 3).reshape(b * m, -1, d // m)
            for t in (self.q(x), *self.kv(x).chunk(2, 1))
        )
        weights = (torch.einsum("bid,bjd->bij", q, k) * (d // m) ** -0.5).softmax(-1)
        y = torch.einsum("bij,bjd->bid", weights, v).reshape(b, m, h * w, d // m).transpose(2, 3)
        return self.out(y.reshape(b, d, h, w))


class Segformer(nn.Module):
    def __init__(self, i, o, size):
        super().__init__()
        dims, heads, expansion, reduction = (32, 64, 160, 256), (1, 2, 5, 8), (8, 8, 4, 4), (8, 4, 2, 1)
        unit = lambda a, b: [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(True)]
        self.down = nn.Sequential(nn.MaxPool2d(2), *unit(i, 32), *unit(32, 32))
        self.patches = ((7, 4, 3), (3, 2, 1), (3, 2, 1), (3, 2, 1))
        self.embed = nn.ModuleList(
            nn.Conv2d(c * k * k, d, 1) for c, d, (k, _, _) in zip((32, *dims), dims, self.patches)
        )
        feed = lambda d, e: nn.Sequential(
            FeatureNorm(d), nn.Conv2d(d, d * e, 1), nn.Conv2d(d * e, d * e, 3, padding=1, groups=d * e),
            nn.Conv2d(d * e, d * e, 1), nn.GELU(), nn.Conv2d(d * e, d, 1),
        )  # fmt: skip
        self.layers = nn.ModuleList(
            nn.ModuleList(part for _ in range(2) for part in (Reduced(d, m, r), feed(d, e)))
            for d, m, e, r in zip(dims, heads, expansion, reduction)
        )
        self.fuse = nn.ModuleList(nn.Sequential(nn.Conv2d(d, 256, 1), nn.Upsample(scale_factor=2**n)) for n, d in enumerate(dims))
        double = lambda: nn.UpsamplingBilinear2d(scale_factor=2)
        self.up = nn.Sequential(
            *unit(1024, 256), double(), *unit(256, 128), double(), *unit(128, 64), double(), nn.Conv2d(64, o, 3, padding=1)
        )

    def forward(self, x):
        x = self.down(x)
        maps = []
        for (k, s, p), embed, layers in zip(self.patches, self.embed, self.layers):
            h, w = x.shape[2] // s, x.shape[3] // s
            x = embed(F.unfold(x, k, stride=s, padding=p).unflatten(2, (h, w)))
            for layer in layers:
                x = layer(x) + x
            maps.append(x)
        return self.up(torch.cat([fuse(m) for fuse, m in zip(self.fuse, maps)], 1))


class ResBlock(nn.Module):
    def __init__(self, i, o, norm=nn.InstanceNorm2d):
        super().__init__()
        conv = lambda a, k: nn.Conv2d(a, o, k, padding=k // 2, bias=False)
        self.a = nn.Sequential(conv(i, 3), norm(o), nn.LeakyReLU(0.01, True), conv(o, 3), norm(o))
        self.shortcut = nn.Sequential(conv(i, 1), norm(o)) if i != o else nn.Identity()

    def forward(self, x):
        return F.leaky_relu_(self.a(x) + self.shortcut(x), 0.01)


class SwinBlock(nn.Module):
    def __init__(self, d, heads, shift, w=7):
        super().__init__()
        self.heads, self.shift, self.w = heads, shift, w
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.table = nn.Parameter(torch.zeros((2 * w - 1) ** 2, heads))
        grid = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(w), indexing="ij")).flatten(1)
        apart = (grid[:, :, None] - grid[:, None, :]) + w - 1
        self.register_buffer("index", apart[0] * (2 * w - 1) + apart[1])
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

    def cut(self, x, w):
        b, h, l, c = x.shape
        return x.view(b, h // w, w, l // w, w, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, w * w, c)

    def attend(self, x):
        b, h, l, c = x.shape
        w = min(self.w, h)
        shift = self.shift if h > self.w else 0
        y = F.pad(x, (0, 0, 0, -l % w, 0, -h % w))
        hp, lp = y.shape[1:3]
        mask = None
        if shift:
            y = torch.roll(y, (-shift, -shift), (1, 2))
            bands = torch.zeros(1, hp, lp, 1)
            for n, rows in enumerate((slice(-w), slice(-w, -shift), slice(-shift, None))):
                for m, columns in enumerate((slice(-w), slice(-w, -shift), slice(-shift, None))):
                    bands[:, rows, columns] = 3 * n + m
            bands = self.cut(bands, w).squeeze(-1)
            mask = (bands.unsqueeze(1) != bands.unsqueeze(2)).float() * -100
        t = self.cut(y, w)
        n, m = t.shape[1], self.heads
        q, k, v = self.qkv(t).reshape(-1, n, 3, m, c // m).permute(2, 0, 3, 1, 4)
        bias = self.table[self.index[:n, :n].reshape(-1)].reshape(n, n, -1).permute(2, 0, 1)
        scores = (q * (c // m) ** -0.5) @ k.transpose(-2, -1) + bias
        if mask is not None:
            scores = (scores.view(b, -1, m, n, n) + mask[:, None]).view(-1, m, n, n)
        t = self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, n, c))
        y = t.view(b, hp // w, lp // w, w, w, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(b, hp, lp, c)
        return (torch.roll(y, (shift, shift), (1, 2)) if shift else y)[:, :h, :l].contiguous()

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Up(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.up = nn.Sequential(
            nn.UpsamplingBilinear2d(scale_factor=2), nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(True)
        )
        self.block = ResBlock(2 * o, o)

    def forward(self, x, skip):
        return self.block(torch.cat((self.up(x), skip), 1))


class SwinUNetR(nn.Module):
    def __init__(self, i, o, size, c=24, heads=(3, 6, 12, 24)):
        super().__init__()
        self.embed = nn.Conv2d(i, c, 2, 2)
        widths = [c * 2**n for n in range(5)]
        self.stages = nn.ModuleList(nn.Sequential(SwinBlock(d, m, 0), SwinBlock(d, m, 3)) for d, m in zip(widths, heads))
        self.merge = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(4 * d), nn.Linear(4 * d, 2 * d, bias=False)) for d in widths[:4]
        )
        self.skips = nn.ModuleList([ResBlock(i, c), ResBlock(c, c), ResBlock(2 * c, 2 * c), ResBlock(4 * c, 4 * c)])
        self.deep = ResBlock(16 * c, 16 * c)
        self.ups = nn.ModuleList([Up(16 * c, 8 * c), Up(8 * c, 4 * c), Up(4 * c, 2 * c), Up(2 * c, c), Up(c, c)])
        self.out = nn.Conv2d(c, o, 1)

    def forward(self, x):
        give = lambda t: F.layer_norm(t, t.shape[-1:]).permute(0, 3, 1, 2)
        t = self.embed(x).permute(0, 2, 3, 1).contiguous()
        maps = [give(t)]
        for stage, merge in zip(self.stages, self.merge):
            t = stage(t)
            t = merge(torch.cat([t[:, j::2, i::2] for i in range(2) for j in range(2)], -1))
            maps.append(give(t))
        y = self.deep(maps[4])
        skips = [maps[3], *(skip(m) for skip, m in zip(self.skips[:0:-1], maps[2::-1])), self.skips[0](x)]
        for up, skip in zip(self.ups, skips):
            y = up(y, skip)
        return self.out(y)


class Paired(nn.Module):
    """UNETR++'s transformer block."""

    def __init__(self, n, c, p, m=4):
        super().__init__()
        self.m, self.pos, self.gamma = m, nn.Parameter(torch.zeros(1, n, c)), nn.Parameter(1e-6 * torch.ones(c))
        self.norm, self.qkvv = nn.LayerNorm(c), nn.Linear(c, 4 * c, bias=False)
        self.EF, self.tau = nn.Parameter(torch.rand(n, p) / p**0.5), nn.Parameter(torch.ones(m, 1, 1))
        self.block = ResBlock(c, c, nn.BatchNorm2d)
        self.last = nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(c, c, 1))

    def attend(self, x):
        b, n, c = x.shape
        q, k, v, s = self.qkvv(x).reshape(b, n, 4, self.m, -1).permute(2, 0, 3, 4, 1)
        k_few, s_few = (torch.einsum("bhdn,nk->bhdk", t, self.EF) for t in (k, s))
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        channels = F.dropout((q @ k.transpose(-2, -1) * n**-0.5).softmax(-1), 0.1) @ v
        places = F.dropout(((q.transpose(-2, -1) @ k_few) * self.tau).softmax(-1), 0.1, self.training) @ s_few.transpose(-2, -1)
        return channels.permute(0, 3, 1, 2).reshape(b, n, c) + places.permute(0, 3, 1, 2).reshape(b, n, c)

    def forward(self, x):
        b, c, h, w = x.shape
        x = x.reshape(b, c, h * w).permute(0, 2, 1) + self.pos
        x = (x + self.gamma * self.attend(self.norm(x))).reshape(b, h, w, c).permute(0, 3, 1, 2)
        return x + self.last(self.block(x))


class UNetRPP(nn.Module):
    def __init__(self, i, o, size, h=256, r=4):
        super().__init__()
        widths, places = [h // 8, h // 4, h // 2, h], [(size // r // 2**n) ** 2 for n in range(4)]
        shrink = lambda a, b, k, groups: nn.Sequential(nn.Conv2d(a, b, k, k, bias=False), nn.GroupNorm(groups, b))
        self.down = nn.ModuleList([shrink(i, widths[0], r, 4), *(shrink(a, 2 * a, 2, a) for a in widths[:3])])
        blocks = lambda n, c, p: nn.Sequential(*(Paired(n, c, p) for _ in range(3)))
        self.stages = nn.ModuleList(blocks(*of) for of in zip(places, widths, (64, 64, 64, 32)))
        self.skip = ResBlock(i, h // 16)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, 2) for c in widths[2::-1])
        self.after = nn.ModuleList(blocks(n, c, 64) for n, c in zip(places[2::-1], widths[2::-1]))
        self.last_up, self.last = nn.ConvTranspose2d(h // 8, h // 16, r, r), ResBlock(h // 16, h // 16)
        self.out = nn.Conv2d(h // 16, o, 1)

    def forward(self, x):
        maps, y = [], x
        for down, stage in zip(self.down, self.stages):
            y = stage(down(y))
            maps.append(y)
        for up, after, skip in zip(self.ups, self.after, maps[2::-1]):
            y = after(up(y) + skip)
        return self.out(self.last(self.last_up(y) + self.skip(x)))


MODELS = {"segformer": Segformer, "swinunetr": SwinUNetR, "unetrpp": UNetRPP}


def make(name, batch, size, inputs, outputs):
    torch.manual_seed(0)
    net = MODELS[name](inputs, outputs, size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.95), foreach=True)
    x, target = torch.randn(batch, size, size, inputs), torch.randn(batch, size, size, outputs)
    forward = lambda: net(x.permute(0, 3, 1, 2).contiguous()).permute(0, 2, 3, 1)

    def train():
        net.train()
        optimizer.zero_grad(set_to_none=True)
        loss = (forward() - target).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    def infer():
        net.eval()
        with torch.inference_mode():
            return forward().mean().item()

    return {"train": train, "infer": infer, "parameters": sum(p.numel() for p in net.parameters())}


if __name__ == "__main__":
    threads, *shape = (int(argument) for argument in sys.argv[1:])
    if threads:
        torch.set_num_threads(threads)
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    made = {}
    for line in sys.stdin:
        name, what, count = line.split()
        if name not in made:
            made = {name: make(name, *shape)}  # one network at a time
        times = []
        for _ in range(int(count)):
            start = time.perf_counter()
            made[name][what]()
            times.append(time.perf_counter() - start)
        print(json.dumps({"seconds": times, "parameters": made[name]["parameters"]}), flush=True)

# Golden values of the engine tests, made with Debian's python3-torch: /usr/bin/python3 test/golden/torch-engine/make.py
import json
import os

import torch

here = os.path.dirname(os.path.abspath(__file__))
out = {"torch": torch.__version__}


def numbers(t):
    return t.double().flatten().tolist()


torch.manual_seed(1234)
out["random"] = {
    "randn": numbers(torch.randn(20)),
    "rand": numbers(torch.rand(5)),
    "randperm": numbers(torch.randperm(10)),
    "randint": numbers(torch.randint(3, 12, (8,))),
    "normal": numbers(torch.normal(2.0, 0.5, (4,))),
    "bernoulli": numbers(torch.bernoulli(torch.full((8,), 0.3))),
    "dropout": numbers(torch.nn.functional.dropout(torch.ones(8), 0.5)),
    "double": numbers(torch.randn(3, dtype=torch.float64)),
}
g = torch.Generator().manual_seed(7)
out["generator"] = {"randn": numbers(torch.randn(4, generator=g)), "randperm": numbers(torch.randperm(5, generator=g))}
torch.manual_seed(2**53 + 2)
out["bigSeed"] = numbers(torch.randn(2))

x = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
m = x[:, :, 0] > 4
i = torch.tensor([1, 0, 1])
out["indexing"] = {
    "first": numbers(x[1]),
    "ellipsis": numbers(x[..., 2]),
    "range": numbers(x[:, 1:3, ::2]),
    "newaxis": list(x[:, None, 0].shape),
    "gather": numbers(x[i]),
    "two": numbers(x[i, torch.tensor([0, 1, 2])]),
    "apart": [list(x[i, :, torch.tensor([0, 1, 3])].shape), numbers(x[i, :, torch.tensor([0, 1, 3])])],
    "mask": numbers(x[m]),
    "maskAfter": numbers(x[0, m[0]]),
    "newaxisGather": list(x[None, i].shape),
}

torch.manual_seed(5)
prints = {
    "scalar": torch.tensor(3.5),
    "whole": torch.tensor([1.0, -2.0, 30.0]),
    "mixed": torch.tensor([[0.5, -1.25], [100.0, 2.0]]),
    "scientific": torch.tensor([1e-6, 1.0, 12345.678]),
    "large": torch.tensor([1e9, 2.5]),
    "special": torch.tensor([float("nan"), float("inf"), -1.0]),
    "ints": torch.tensor([[1, -20], [300, 4]]),
    "bools": torch.tensor([True, False]),
    "double": torch.tensor([0.1, 0.25], dtype=torch.float64),
    "half": torch.tensor([0.5, 1.5], dtype=torch.bfloat16),
    "empty": torch.empty(0),
    "emptyShape": torch.empty(2, 0),
    "cube": torch.arange(12.0).reshape(2, 2, 3),
    "long": torch.arange(40),
    "summary": torch.arange(2000).reshape(100, 20),
    "summaryLine": torch.arange(1001) / 8,
    "summaryCube": torch.ones(3, 20, 30),
    "fourDims": torch.zeros(2, 1, 2, 2),
    "complex": torch.tensor([1 + 2j, 3.5 - 1j]),
}
out["prints"] = {k: str(v) for k, v in prints.items()}

w = torch.tensor([[0.5, -0.3], [0.2, 0.8]], requires_grad=True)
b = torch.tensor([0.1, -0.2], requires_grad=True)
inp = torch.tensor([[1.0, 2.0], [-1.0, 0.5]])
loss = torch.nn.functional.gelu(torch.nn.functional.linear(inp, w, b)).pow(2).mean()
gw, gb = torch.autograd.grad(loss, [w, b], create_graph=True)
gw.pow(2).sum().backward()
out["gradients"] = {"loss": loss.item(), "w": numbers(gw.detach()), "b": numbers(gb.detach()), "second": numbers(w.grad)}

with open(os.path.join(here, "golden.json"), "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")

# A file for the TorchScript tests.
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)
        self.register_buffer("offset", torch.tensor([10.0]))
        torch.nn.init.constant_(self.linear.weight, 0.5)
        torch.nn.init.constant_(self.linear.bias, 1.0)

    def forward(self, x):
        return self.linear(x) + self.offset

    @torch.jit.export
    def split(self, x, scale: float, names: "List[str]"):
        return {names[0]: x * scale, names[1]: x[0]}, (x.shape[0], [scale, 2.5], names[0], x.sum() > 0)

    @torch.jit.export
    def fails(self, x):
        return x.matmul(x.reshape(-1))


import typing  # noqa: E402
List = typing.List
torch.jit.script(Net()).save(os.path.join(here, "net.ts.pt"))

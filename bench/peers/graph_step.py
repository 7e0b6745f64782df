"""The Python side of bench/graph-step.mjs: GraphLAM and HiLAM in plain PyTorch, float32, with the operations that py4cast and mfai
run (torch_geometric's message passing: rows gathered by index_select and concatenated, one perceptron per edge, scatter_add).

    graph_step.py THREADS MESH.pt INPUTS OUTPUTS WIDTH ROUNDS

Mesh tensors come from the other side as a state dict. Reads requests from stdin ("graphlam forward 2"), answers seconds as JSON.
"""

import json
import sys
import time

import torch
from torch import nn

INPUTS, OUTPUTS, D, ROUNDS = (int(v) for v in sys.argv[3:7])


def mlp(widths, norm=True):
    layers = []
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        layers += ([nn.SiLU()] if i else []) + [nn.Linear(a, b)]
    return nn.Sequential(*layers, *([nn.LayerNorm(widths[-1])] if norm else []))


class Interaction(nn.Module):
    def __init__(self, edges, update=True):
        super().__init__()
        self.edges, self.update = edges, update
        self.edge_mlp, self.aggr_mlp = mlp([3 * D, D, D]), mlp([2 * D, D, D])

    def forward(self, senders, receivers, edge):
        index = self.edges["index"]
        count = receivers.shape[1]
        nodes = torch.cat((receivers, senders), 1)
        sent, received = nodes.index_select(1, index[0] + count), nodes.index_select(1, index[1])
        message = self.edge_mlp(torch.cat((edge, sent, received), -1))
        where = index[1].view(1, -1, 1).expand_as(message)
        total = message.new_zeros(receivers.shape).scatter_add_(1, where, message)
        out = receivers + self.aggr_mlp(torch.cat((receivers, total), -1))
        return (out, edge + message) if self.update else out


class Network(nn.Module):
    def __init__(self, mesh, levels, hierarchical):
        super().__init__()
        self.mesh, self.levels, self.hierarchical = mesh, levels, hierarchical
        self.embed = nn.ModuleDict({k: mlp([e["features"].shape[1], D, D]) for k, e in mesh.items()})
        self.grid, self.encode, self.output = mlp([INPUTS, D, D]), mlp([D, D, D]), mlp([D, D, OUTPUTS], False)
        net = lambda name, update=True: Interaction(mesh[name], update)
        self.g2m, self.m2g = net("g2m", False), net("m2g", False)
        many = lambda kind, n, update=True: nn.ModuleList([net(f"{kind}_{i}", update) for i in range(n)])
        if hierarchical:
            self.init, self.read = many("up", levels - 1), many("down", levels - 1, False)
            self.rounds = nn.ModuleList(
                [
                    nn.ModuleList([many("down", levels - 1), many("m2m", levels), many("up", levels - 1), many("m2m", levels)])
                    for _ in range(ROUNDS)
                ]
            )
        else:
            self.rounds = many("m2m", 1) if ROUNDS == 1 else nn.ModuleList([net("m2m_0") for _ in range(ROUNDS)])

    def state(self, name, batch):
        return self.embed[name](self.mesh[name]["features"]).unsqueeze(0).expand(batch, -1, -1)

    def forward(self, x):
        b, top = x.shape[0], self.levels - 1
        g = self.grid(x)
        nodes = [self.g2m(g, self.state("nodes_0", b), self.state("g2m", b))]
        if self.hierarchical:
            nodes += [self.state(f"nodes_{i}", b) for i in range(1, self.levels)]
            same = [self.state(f"m2m_{i}", b) for i in range(self.levels)]
            up, down = ([self.state(f"{k}_{i}", b) for i in range(top)] for k in ("up", "down"))
            for i, net in enumerate(self.init):
                nodes[i + 1], up[i] = net(nodes[i], nodes[i + 1], up[i])
            for down_nets, down_same, up_nets, up_same in self.rounds:
                nodes[top], same[top] = down_same[top](nodes[top], nodes[top], same[top])
                for i in range(top - 1, -1, -1):
                    nodes[i], down[i] = down_nets[i](nodes[i + 1], nodes[i], down[i])
                    nodes[i], same[i] = down_same[i](nodes[i], nodes[i], same[i])
                nodes[0], same[0] = up_same[0](nodes[0], nodes[0], same[0])
                for i in range(1, top + 1):
                    nodes[i], up[i - 1] = up_nets[i - 1](nodes[i - 1], nodes[i], up[i - 1])
                    nodes[i], same[i] = up_same[i](nodes[i], nodes[i], same[i])
            for i in range(top - 1, -1, -1):
                nodes[i] = self.read[i](nodes[i + 1], nodes[i], down[i])
        else:
            edge = self.state("m2m_0", b)
            for net in self.rounds:
                nodes[0], edge = net(nodes[0], nodes[0], edge)
        return self.output(self.m2g(nodes[0], g + self.encode(g), self.state("m2g", b)))


def make(saved, model):
    parts = {}
    for key, tensor in saved.items():
        kind, name, field = key.split(".")
        if kind == model:
            parts.setdefault(name, {})[field] = tensor.long() if field == "index" else tensor
    levels = sum(name.startswith("nodes_") for name in parts)
    torch.manual_seed(0)
    net = Network(parts, levels, model != "graphlam").train()
    points = int(parts["m2g"]["index"][1].max()) + 1
    x, target = torch.randn(1, points, INPUTS), torch.randn(1, points, OUTPUTS)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.95), foreach=True)

    def forward():
        with torch.no_grad():
            net(x)

    def step():
        optimizer.zero_grad(set_to_none=True)
        (net(x) - target).square().mean().backward()
        optimizer.step()

    return {"forward": forward, "step": step}


if __name__ == "__main__":
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    if int(sys.argv[1]):
        torch.set_num_threads(int(sys.argv[1]))
    saved = torch.load(sys.argv[2], weights_only=False)  # written by the other side a moment ago
    made = {}
    for line in sys.stdin:
        model, what, count = line.split()
        run = made.setdefault(model, None) or make(saved, model)
        made[model] = run
        times = []
        for _ in range(int(count)):
            start = time.perf_counter()
            run[what]()
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)

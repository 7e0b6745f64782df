"""Makes the golden files of graph networks with mfai itself: run with a Python that has torch and mfai (and its graph extras).

    python test/golden/models/graph_networks.py

Each case is one `.pt` file: {"name", "shape", "settings" (as Foehn reads them), "state_dict" (as mfai saves it; edges and
features of g2m and m2g in graphlam.pt only), "input" (B, N, F), "output" (B, N, Fout), "gradients" (of the mean square of the output, by parameter)}.
The 27×30 grid is one where Foehn's compat meshes are exactly mfai's (test/golden/grid/make_graph.py).
"""

import contextlib
import io
import sys
import tempfile
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
from mfai.pytorch.models.nlam import GraphLAM, GraphLamSettings, HiLAM, HiLAMParallel  # noqa: E402

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "grid"))
from make_graph import coordinates  # noqa: E402

SHAPE = (27, 30)


def make(name, network, compat, i=3, o=2, with_edges=False, **settings):
    torch.manual_seed(11)
    with tempfile.TemporaryDirectory() as tmp, contextlib.redirect_stdout(io.StringIO()):
        s = GraphLamSettings(tmp_dir=Path(tmp), **settings)
        network.rank_zero_setup(s, coordinates(SHAPE, compat))
        net = network(i, o, SHAPE, s)
    for parameter in net.parameters():  # away from ones and zeros
        parameter.data += 0.1 * torch.randn_like(parameter)
    x = torch.randn(2, SHAPE[0] * SHAPE[1], i)
    y = net(x)
    y.square().mean().backward()
    weights = {k for k, _ in net.named_parameters()}
    state = {k: v.clone() for k, v in net.state_dict().items() if with_edges or k in weights}
    torch.save(
        dict(
            name=network.__name__,
            shape=list(SHAPE),
            settings=dict(settings, compat=compat),
            state_dict=state,
            input=x,
            output=y.detach(),
            gradients={k: p.grad for k, p in net.named_parameters() if p.grad is not None},
        ),
        HERE / f"{name}.pt",
    )


if __name__ == "__main__":
    make("graphlam", GraphLAM, "index", with_edges=True, hidden_dims=8, processor_layers=2, mesh_aggr="mean")
    make("graphlam_shallow", GraphLAM, "unit_square", hidden_dims=8, hidden_layers=0, processor_layers=1)
    make("hilam", HiLAM, "unit_square_descending", hidden_dims=4, hidden_layers=2, processor_layers=2)
    make("hilamparallel", HiLAMParallel, "unit_square", hidden_dims=4, processor_layers=2)

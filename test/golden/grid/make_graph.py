"""Makes the golden files of meshes with mfai's own graph builder: run with a Python that has torch and mfai (and its graph extras).

    python test/golden/grid/make_graph.py

graph/        a hierarchical graph of a 27×30 grid on index coordinates, as mfai writes it (older layout: indices run on, mesh first)
graph_spec/   the flat one, brought to the graph storage specification 0.1.0 of neural-lam (zero-based, features as measured)
edges.json    counts and lengths for other grids and coordinates, with a checksum over the (sender, receiver) pairs of g2m and m2m

The grid is one where no point has two equally near mesh nodes for its fourth place: there a search tree's choice is arbitrary.
"""

import contextlib
import io
import json
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

warnings.simplefilter("ignore")
from mfai.pytorch.models.nlam.create_mesh import build_graph_for_grid  # noqa: E402

HERE = Path(__file__).parent


def coordinates(shape, compat):
    y, x = np.meshgrid(*[np.arange(n, dtype=float) for n in shape], indexing="ij")
    if compat != "index":
        y, x = y / (shape[0] - 1), x / (shape[1] - 1)
    if compat == "unit_square_descending":
        y = 1 - y
    return torch.tensor(np.stack([x, y]))


def build(folder, shape, compat, hierarchical):
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        build_graph_for_grid(coordinates(shape, compat), folder, hierarchical=hierarchical)
    return {path.stem: torch.load(path) for path in sorted(folder.glob("*.pt"))}


def pairs(index):
    """Order-free sum over edges of a number made from both ends, small enough for doubles."""
    s, r = (index - index.min(1, keepdim=True).values).tolist()
    return sum((a * 7919 + b * 104729 + a * b) % 1000003 for a, b in zip(s, r))


def summary(shape, compat, hierarchical):
    with tempfile.TemporaryDirectory() as tmp:
        g = build(Path(tmp), shape, compat, hierarchical)
    return dict(
        shape=shape,
        compat=compat,
        hierarchical=hierarchical,
        mesh_nodes=[len(f) for f in g["mesh_features"]],
        first_mesh_node=g["mesh_features"][0][0].tolist(),
        m2m=[i.shape[1] for i in g["m2m_edge_index"]],
        g2m=g["g2m_edge_index"].shape[1],
        m2g=g["m2g_edge_index"].shape[1],
        longest_edge=max(f[:, 0].max().item() for f in g["m2m_features"]),
        unread=shape[0] * shape[1] - len(g["g2m_edge_index"][0].unique()),
        m2m_pairs=[pairs(i) for i in g["m2m_edge_index"]],
        g2m_pairs=pairs(g["g2m_edge_index"]),
        length_sums={n: g[f"{n}_features"][:, 0].double().sum().item() for n in ("g2m", "m2g")},
    )


if __name__ == "__main__":
    shutil.rmtree(HERE / "graph", ignore_errors=True)
    build(HERE / "graph", (27, 30), "index", True)
    spec = HERE / "graph_spec"
    shutil.rmtree(spec, ignore_errors=True)
    g = build(spec, (27, 30), "index", False)
    torch.save([f * 29 for f in g["mesh_features"]], spec / "mesh_features.pt")
    mesh_nodes = len(g["mesh_features"][0])
    for name, row in (("g2m", 0), ("m2g", 1)):
        index = g[f"{name}_edge_index"].clone()
        index[row] -= mesh_nodes
        torch.save(index, spec / f"{name}_edge_index.pt")
    (spec / "metainfo.yaml").write_text("spec_version: 0.1.0\n")
    cases = [
        ((64, 64), "index", False),
        ((64, 64), "index", True),
        ((100, 90), "index", False),
        ((100, 90), "unit_square", False),
        ((200, 30), "index", False),
        ((40, 60), "unit_square_descending", True),
    ]
    (HERE / "edges.json").write_text(json.dumps([summary(*case) for case in cases], indent=1) + "\n")

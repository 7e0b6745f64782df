"""Checkpoints as NVIDIA PhysicsNeMo writes them (.mdlus), small: run with Debian's python3-torch and a clone of NVIDIA/physicsnemo.

    python3 physicsnemo.py CLONE

dlwp.mdlus and dlwp.pt: the DLWP network of physicsnemo/models/dlwp/dlwp.py with random weights, its input and its output. Only that file is
imported; what it imports of PhysicsNeMo itself (the base class, the table of activations) is replaced by the few lines below.
fcn.mdlus: the AFNO weights of fourcastnet.tar, named and packed as PhysicsNeMo's AFNO does; their output is in afno_tall.pt.
"""
import io
import json
import sys
import tarfile
import types
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent
SIZES = dict(nr_input_channels=5, nr_output_channels=4, nr_initial_channels=6, depth=2, clamp_activation=(None, 0.5))


class Module(nn.Module):
    """Stands for physicsnemo.Module, of which checkpoints keep one empty buffer."""

    def __init__(self, meta=None):
        super().__init__()
        self.register_buffer("device_buffer", torch.empty(0))


class Anything(types.ModuleType):
    """A package of which only names are needed."""

    def __getattr__(self, name):
        if name == "Module":
            return Module
        if name == "get_activation":
            return lambda kind: {"leaky_relu": nn.LeakyReLU(0.1)}[kind]
        if name in ("ModelMetaData", "Float"):
            return type(name, (), {"__class_getitem__": classmethod(lambda cls, _: cls)})
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name)


def import_dlwp(clone):
    for name in ("", ".core", ".core.meta", ".core.module", ".nn"):
        sys.modules["physicsnemo" + name] = Anything("physicsnemo" + name)
    sys.modules["jaxtyping"] = Anything("jaxtyping")
    sys.modules["dlwp"] = types.ModuleType("dlwp")
    torch.compiler = types.SimpleNamespace(is_compiling=lambda: False)  # newer than torch 1.13
    source = Path(clone, "physicsnemo/models/dlwp/dlwp.py").read_text()
    names = {"__name__": "dlwp"}
    exec(compile(source, "dlwp.py", "exec"), names)
    return names["DLWP"]


def write_mdlus(path, state, name, args):
    """A tar of args.json, metadata.json and model.pt, as Module.save made it until 2025."""
    weights = io.BytesIO()
    torch.save(state, weights)
    files = {
        "args.json": json.dumps({"__name__": name, "__module__": "physicsnemo.models", "__args__": args}).encode(),
        "metadata.json": json.dumps({"mdlus_file_version": "0.1.0"}).encode(),
        "model.pt": weights.getvalue(),
    }
    with tarfile.open(path, "w") as tar:
        for file, data in files.items():
            info = tarfile.TarInfo(file)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def main(clone):
    torch.manual_seed(0)
    network = import_dlwp(clone)(**SIZES).eval()
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.3)
    x = torch.randn(2, SIZES["nr_input_channels"], 6, 8, 8)
    with torch.no_grad():
        y = network(x)
    write_mdlus(HERE / "dlwp.mdlus", network.state_dict(), "DLWP", SIZES)
    torch.save({"x": x, "y": y}, HERE / "dlwp.pt")

    state = torch.load(HERE / "fourcastnet.tar")["model_state"]
    own = {key.replace("module.", "", 1): value for key, value in state.items()}
    own = {key: value for key, value in own.items() if not key.startswith("norm.") and key != "ged"}
    own["device_buffer"] = torch.empty(0)
    args = dict(inp_shape=[36, 20], in_channels=2, out_channels=2, patch_size=[4, 4], embed_dim=8, depth=2,
                mlp_ratio=2.0, drop_rate=0.0, num_blocks=2, sparsity_threshold=0.01, hard_thresholding_fraction=1.0)
    write_mdlus(HERE / "fcn.mdlus", own, "AFNO", args)


if __name__ == "__main__":
    main(sys.argv[1])

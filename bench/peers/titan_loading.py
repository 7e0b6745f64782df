"""Reads batches from Titan-shaped .npy files the way py4cast's dataset does: one np.load per field and time, stacked, normalised,
concatenated to named groups and collated. Prints seconds per batch. Arguments: the folder of the hourly folders, the batch size."""

import sys
import time
from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(1)
folder, batch_size = Path(sys.argv[1]), int(sys.argv[2])
hours = sorted(folder.iterdir())
names = sorted(path.stem for path in hours[0].iterdir())
state = [name for name in names if name.startswith("aro")]
forcing = [name for name in names if name.startswith("arp")]


def field(name, times):
    arrays = [np.expand_dims(np.load(hours[t] / f"{name}.npy"), axis=-1) for t in times]
    array = (np.stack(arrays) - 0.5) / 0.3
    return torch.from_numpy(array)


def sample(i):
    inputs, outputs, forcings = [], [], []
    for name in state:
        tensor = field(name, [i, i + 1])
        inputs.append(tensor[:1])
        outputs.append(tensor[-1:])
    for name in forcing:
        forcings.append(field(name, [i + 1]))
    date = torch.rand(1, 5).reshape(1, 1, 1, 5).expand(1, *inputs[0].shape[1:3], 5)
    return [torch.cat(part, dim=-1).type(torch.float32) for part in (inputs, outputs, [*forcings, date])]


times = []
for k in range(4):
    started = time.perf_counter()
    samples = [sample((k * batch_size + i) % (len(hours) - 1)) for i in range(batch_size)]
    batch = [torch.stack([s[part] for s in samples]) for part in range(3)]
    times.append(time.perf_counter() - started)
print(sorted(times)[2])

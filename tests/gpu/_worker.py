"""One of several processes that train together, or one alone: `python _worker.py DEVICE FOLDER`."""

import os
import sys
from pathlib import Path

from _device import Device
from _models import build_encoder
from _populations import draw_population
from torch import distributed

from nwb_neurid.contracts import TrainingOptions

name, folder = sys.argv[1], Path(sys.argv[2])
if "RANK" in os.environ:
    distributed.init_process_group("gloo")
device = Device(name)
windows = 8 if "NWB_NEURID_REHEARSE" in os.environ else 32
populations = [draw_population("spikes", 14 + seed, 60.0, seed) for seed in range(3)]
with device.take_gpu_paths():
    for encoder in ("nuclr", "neurpir"):
        options = TrainingOptions(steps=1, windows=windows, precision="float32", checkpoint=folder / encoder)
        build_encoder(encoder, "small", device.name).fit(populations, options)
if distributed.is_initialized():
    distributed.destroy_process_group()

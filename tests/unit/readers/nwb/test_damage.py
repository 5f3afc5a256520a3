"""Files damaged inside: each is read or refused with one of our errors that names it, and none is changed.

HDF5 itself loops without end, or takes gigabytes, over some damage to the heaps in which it keeps text of varying
length (HDFGroup/hdf5 #1707), and no caller can prevent it. Bytes of those heaps are left as they are here.
"""

import subprocess
import sys
from hashlib import sha256

import h5py
import numpy as np
import pytest

READ = """
import sys, warnings
from pathlib import Path
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import NeuridError
from nwb_neurid.readers.nwb import PLUGIN
warnings.simplefilter("ignore")
for line in sys.stdin:
    path = Path(line.rstrip())
    try:
        told = repr(PLUGIN.read(path, ReadOptions()))
    except NeuridError as error:
        told = f"{type(error).__name__}: {error}"
    print(told.replace(chr(10), " "), flush=True)
"""


@pytest.fixture
def everything(sound, electrodes):
    """A recording with all that the reader looks at."""
    table = "intervals/invalid_times"
    laser = "stimulus/presentation/laser"
    return {
        **sound,
        **electrodes,
        "units/electrodes": [0, 1, 1, 2, 3],
        "units/electrodes_index": [2, 3, 4, 5],
        "units/max_electrode": [0.0, np.nan, 2.0, -1.0],
        "units/peak_channel_id": [104, 103, 999, 100],
        "units/waveform_mean": np.random.default_rng(0).normal(size=(4, 6, 2)),
        "units/cell_type": ["PV", "SST", "", "PV"],
        "units/region": ["CA1", "unknown", "CA3", "DG"],
        "units/probe_name": ["a", "a", "b", "b"],
        "general/extracellular_ephys/electrodes/rel_x": [1.0, 2, 3, 4, 5],
        f"{table}/id": [0, 1],
        f"{table}/start_time": [1.0, np.nan],
        f"{table}/stop_time": [1.2, 2.0],
        "intervals/epochs/id": [0],
        "intervals/epochs/start_time": [0.0],
        "intervals/epochs/stop_time": [10.0],
        "intervals/optotagging/id": [0],
        "intervals/optotagging/start_time": [500.0],
        "acquisition/raw@neurodata_type": "ElectricalSeries",
        "acquisition/raw/data": np.zeros((50, 2), np.int16),
        "acquisition/raw/timestamps": np.arange(50.0),
        f"{laser}@neurodata_type": "OptogeneticSeries",
        f"{laser}/data": np.r_[np.zeros(400), np.ones(10)],
        f"{laser}/starting_time": 0.0,
        f"{laser}/starting_time@rate": 1.0,
    }


# What may stand in the place of a dataset, by its shape.
STAND_INS = {
    "nothing": lambda _: None,
    "a number": lambda _: 1.0,
    "a text": lambda _: "text",
    "no dataspace": lambda _: h5py.Empty("f8"),
    "no text": lambda _: h5py.Empty(h5py.string_dtype()),
    "no rows": lambda _: np.zeros(0),
    "NaN": lambda shape: np.full(shape, np.nan),
    "infinity": lambda shape: np.full(shape, -np.inf),
    "too large": lambda shape: np.full(shape, 1e300),
    "negative": lambda shape: np.full(shape, -3),
    "the largest": lambda shape: np.full(shape, 2**64 - 1, np.uint64),
    "the smallest": lambda shape: np.full(shape, -(2**63), np.int64),
    "zero": lambda shape: np.zeros(shape),
    "half": lambda shape: np.full(shape, 0.5, np.float16),
    "truth": lambda shape: np.ones(shape, bool),
    "complex": lambda shape: np.full(shape, 1j),
    "compound": lambda shape: np.zeros(shape, [("x", "f8"), ("y", "i4")]),
    "opaque": lambda shape: np.zeros(shape, "V4"),
    "enum": lambda shape: {"data": np.ones(shape, int), "dtype": h5py.enum_dtype({"OFF": 0, "ON": 1})},
    "arrays": lambda shape: {"shape": shape, "dtype": "(2,)f8"},
    "lists": lambda shape: {"shape": shape, "dtype": h5py.vlen_dtype("f8")},
    "texts": lambda shape: np.full(shape, "text", object),
    "texts of one length": lambda shape: np.full(shape, b"ab\xff"),
    "bytes": lambda shape: {"data": np.full(shape, b"\xff\xfe", object), "dtype": h5py.string_dtype()},
    "references": lambda shape: {"shape": shape, "dtype": h5py.ref_dtype},
    "regions": lambda shape: {"shape": shape, "dtype": h5py.regionref_dtype},
    "three in a row": lambda shape: np.ones((*shape, 3)),
    "one in a row": lambda shape: np.ones((*shape, 1)),
    "none in a row": lambda shape: np.ones((*shape, 0)),
    "more rows": lambda shape: np.ones((shape or (1,))[0] + 3),
    "fewer rows": lambda shape: np.ones(max(0, (shape or (1,))[0] - 1)),
    "terabytes": lambda _: {"shape": (10**14,), "dtype": "f8", "chunks": (1000,)},
    "wide terabytes": lambda shape: {"shape": (*shape[:1], 10**13), "dtype": "f8", "chunks": True},
    "a link to nowhere": lambda _: h5py.SoftLink("/not/there"),
    "a link outside": lambda _: h5py.ExternalLink("missing.h5", "/there"),
    "a type": lambda _: np.dtype("f8"),
}


def told_of(paths):
    """What reading each file says, in one other process; no file may change."""
    before = [sha256(path.read_bytes()).digest() for path in paths]
    listed = "".join(f"{path}\n" for path in paths)
    command = [sys.executable, "-c", READ]
    done = subprocess.run(command, input=listed, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [sha256(path.read_bytes()).digest() for path in paths] == before
    return done.stdout.splitlines()


def test_whatever_stands_in_a_dataset_s_place_is_read_or_refused(tmp_path, hdf5, everything):
    places = [place for place in everything if "@" not in place]
    pairs = [(place, stand_in) for place in places for stand_in in STAND_INS]
    paths = []
    for number in np.random.default_rng(0).choice(len(pairs), 140, replace=False):
        place, stand_in = pairs[number]
        contents = {path: values for path, values in everything.items() if path.partition("@")[0] != place}
        contents[place] = STAND_INS[stand_in](np.shape(everything[place]))
        name = f"{stand_in} for {place}".replace("/", " ")
        paths.append(hdf5(contents, f"{name}.nwb"))
    for path, line in zip(paths, told_of(paths), strict=True):
        assert line.startswith("Population(4 units") or str(path) in line, line
    assert len(list(tmp_path.iterdir())) == len(paths)


def heaps(data):
    """Which bytes belong to a heap, as a mask."""
    mask = np.zeros(len(data), bool)
    at = data.find(b"GCOL")
    while at >= 0:
        mask[at : at + int.from_bytes(data[at + 8 : at + 16], "little")] = True
        at = data.find(b"GCOL", at + 4)
    return mask


def damaged(data, rng):
    """The same bytes with a run of them overwritten, or one, or many here and there."""
    kind = rng.integers(4)
    first = rng.integers(96, len(data))
    run = np.arange(first, min(len(data), first + rng.integers(1, 300)))
    where = [run, run, run[:1], rng.integers(96, len(data), 20)][kind]
    values = np.zeros(len(where), np.uint8) if kind == 0 else rng.integers(0, 256, len(where), np.uint8)
    changed = np.frombuffer(data, np.uint8).copy()
    changed[where] = values
    return np.where(heaps(data), np.frombuffer(data, np.uint8), changed).tobytes()


def test_damaged_bytes_are_read_or_refused(hdf5, everything, tmp_path):
    data = hdf5({**everything, "intervals/optotagging/start_time": None}).read_bytes()
    rng = np.random.default_rng(20)
    paths = [tmp_path / f"damaged_{number}.nwb" for number in range(60)]
    for path in paths:
        path.write_bytes(damaged(data, rng))
    told = told_of(paths)
    for path, line in zip(paths, told, strict=True):
        assert line.startswith("Population(4 units") or str(path) in line, line
    assert {line.partition(":")[0] for line in told} > {"InvalidSource", "UnreadableSource"}

"""NWB in Zarr is read as the same recording in HDF5 is, and whatever is wrong with it becomes one of our errors."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import NeuridWarning, UnreadableSource
from nwb_neurid.readers.nwb import PLUGIN
from nwb_neurid.readers.nwb.file import open_file

numcodecs = pytest.importorskip("numcodecs", reason="Zarr needs nwb-neurid[zarr]")

ROIS = "processing/ophys/ImageSegmentation/plane"


def assert_same(one, other):
    """Two populations, but for where they come from."""
    for name in one.__dataclass_fields__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if name == "source":
            continue
        if name == "activity":
            assert type(mine) is type(theirs)
            for part in mine.__dataclass_fields__:
                np.testing.assert_array_equal(getattr(mine, part), getattr(theirs, part), err_msg=part)
        elif isinstance(mine, dict) or hasattr(mine, "keys"):
            assert list(mine) == list(theirs), name
            for key in mine:
                np.testing.assert_array_equal(np.asarray(mine[key]), np.asarray(theirs[key]), err_msg=key)
        else:
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs), err_msg=name)


@pytest.fixture
def many_columns(sound, electrodes):
    """Units with whatever tells where they are and what they are."""
    return {
        **sound,
        **electrodes,
        "units/electrodes": [0, 1, 1, 2, 3],
        "units/electrodes_index": [2, 3, 4, 5],
        "units/waveform_mean": np.random.default_rng(0).normal(size=(4, 6, 2)),
        "units/cell_type": ["PV", "SST", "", "PV"],
        "units/region": ["CA1", "unknown", "CA3", "Größe"],
        "units/good": [True, False, True, True],
        "units/spike_times@resolution": 1 / 30000,
        "groups/left/x": 1,
        "groups/right/x": 1,
        "units/electrode_group": lambda file: {
            "data": [file["groups/left"].ref, file["groups/right"].ref, h5py.Reference(), file["groups/left"].ref],
            "dtype": h5py.ref_dtype,
        },
    }


@pytest.fixture
def called(hdf5):
    """As `hdf5`, for values that are made of the file and say how they are stored."""

    def write(contents):
        made = {place: value for place, value in contents.items() if not callable(value) or "@" in place}
        path = hdf5(made)
        with h5py.File(path, "r+") as file:
            for place in contents.keys() - made.keys():
                file.create_dataset(place, **contents[place](file))
        return path

    return write


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_units_are_read_as_from_hdf5(called, as_zarr, many_columns, chunk):
    path = called(many_columns)
    folder = as_zarr(path, chunk)
    assert PLUGIN.recognises(folder)
    in_zarr = PLUGIN.read(folder, ReadOptions())
    assert_same(in_zarr, PLUGIN.read(path, ReadOptions()))
    assert in_zarr.source == str(folder)
    assert in_zarr.group.tolist() == ["left", "right", "", "left"]


@pytest.mark.parametrize("chunk", [3, 7, 1000])
def test_traces_are_read_as_from_hdf5(hdf5, as_zarr, rois, noise, chunk):
    masks = np.zeros(5, [("x", "u4"), ("y", "u4"), ("weight", "f4")])
    masks["x"], masks["weight"] = np.arange(5), 1.0
    path = hdf5(
        {
            **rois(noise, rois=[3, 0, 1, 2, 4]),
            f"{ROIS}/pixel_mask": masks,
            f"{ROIS}/pixel_mask_index": [1, 2, 3, 4, 5],
            f"{ROIS}/iscell": [1, 1, 0, 1, 1],
            "general/optophysiology/plane/grid_spacing": [2e-6, 3e-6],
            "general/optophysiology/plane/location": "VISp",
            f"{ROIS}/imaging_plane": h5py.SoftLink("/general/optophysiology/plane"),
        }
    )
    in_zarr = PLUGIN.read(as_zarr(path, chunk), ReadOptions())
    assert_same(in_zarr, PLUGIN.read(path, ReadOptions()))
    assert in_zarr.positions_um[:2].tolist() == [[0, 0, 0], [2, 0, 0]]
    assert in_zarr.group.tolist() == ["plane"] * 5


def test_what_hdmf_zarr_writes_is_read(write, tmp_path):
    """With its pickled references, scalars as arrays of one, and times as bytes."""
    hdmf_zarr = pytest.importorskip("hdmf_zarr", reason="hdmf-zarr is not installed")
    from pynwb import NWBHDF5IO

    def fill(file):
        group = file.create_electrode_group("probe", "a probe", "V1", file.create_device("device"))
        for _ in range(3):
            file.add_electrode(group=group, location="V1")
        file.add_unit_column("cell_type", "known")
        for row in range(4):
            times = np.sort(np.random.default_rng(row).uniform(0, 10, 20))
            file.add_unit(
                spike_times=times,
                obs_intervals=[[0.0, 10.0]],
                electrodes=[row % 3],
                electrode_group=group,
                cell_type="PV",
            )

    path = write(fill)
    folder = tmp_path / "exported.zarr"
    with NWBHDF5IO(path, "r") as source, hdmf_zarr.NWBZarrIO(str(folder), "w") as io:
        io.export(src_io=source, write_args={"link_data": False})
    assert json.loads((folder / "units" / "electrode_group" / ".zarray").read_text())["filters"][0]["id"] == "pickle"
    assert PLUGIN.recognises(folder)
    assert_same(PLUGIN.read(folder, ReadOptions()), PLUGIN.read(path, ReadOptions()))
    with hdmf_zarr.NWBZarrIO(str(folder), "r") as io:
        source = io.read()
        assert PLUGIN.recognises(source)
        assert_same(PLUGIN.read(source, ReadOptions()), PLUGIN.read(path, ReadOptions()))
        shutil.move(folder, tmp_path / "elsewhere.zarr")
        with pytest.raises(
            UnreadableSource, match=r"neither from HDF5 nor from a Zarr folder .* path: .*exported\.zarr"
        ):
            PLUGIN.read(source, ReadOptions())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyNWB, about fields of the recording
def test_a_recorded_session_is_read_as_from_hdf5(shared_data, tmp_path):
    hdmf_zarr = pytest.importorskip("hdmf_zarr", reason="hdmf-zarr is not installed")
    from pynwb import NWBHDF5IO

    path = shared_data / "nwb" / "A8604-211122.nwb"
    folder = tmp_path / "recorded.nwb.zarr"
    with NWBHDF5IO(path, "r") as source, hdmf_zarr.NWBZarrIO(str(folder), "w") as io:
        io.export(src_io=source, write_args={"link_data": False})
    assert_same(PLUGIN.read(folder, ReadOptions()), PLUGIN.read(path, ReadOptions()))


@pytest.fixture
def folder(hdf5, sound, as_zarr):
    """The four units of `sound`."""
    return as_zarr(hdf5(sound))


def refusal(folder, **options):
    with pytest.raises(UnreadableSource) as refused:
        PLUGIN.read(folder, ReadOptions(**options))
    return str(refused.value)


def test_folders_are_told_by_what_they_say(tmp_path, folder):
    other = shutil.copytree(folder, tmp_path / "any.zarr")
    assert PLUGIN.recognises(other)
    assert PLUGIN.recognises(str(tmp_path / "empty.NWB.zarr")) is False
    (tmp_path / "empty.NWB.zarr").mkdir()
    assert PLUGIN.recognises(str(tmp_path / "empty.NWB.zarr"))
    (other / ".zattrs").write_text("{}")
    assert not PLUGIN.recognises(other)
    assert not PLUGIN.recognises(tmp_path)


def test_another_folder(tmp_path):
    path = tmp_path / "other.nwb.zarr"
    path.mkdir()
    assert refusal(path) == f"{path} is a folder, an NWB file in HDF5 or Zarr was expected. Choose a file."
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    said = f"{path} is a Zarr folder but not an NWB file: it states no nwb_version. Convert it to NWB."
    assert refusal(path) == said


def test_another_version_of_zarr(tmp_path):
    path = tmp_path / "three.zarr"
    path.mkdir()
    (path / "zarr.json").write_text('{"zarr_format": 3, "attributes": {"nwb_version": "2.9.0"}}')
    assert PLUGIN.recognises(path)
    assert refusal(path) == f"{path} is in Zarr format 3, which is not supported. Save it again in Zarr format 2."


def test_without_numcodecs_it_is_told_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "numcodecs", None)
    assert refusal(folder) == f"{folder}: /units/spike_times_index is stored in Zarr. To read it: pip install numcodecs"


def test_names_do_not_lead_out_of_the_folder(folder):
    with open_file(folder) as root:
        assert root.group("units/../../recording.nwb.zarr/units") is None
        assert root.dataset("units/..") is None


def test_chunks_that_are_missing_are_told(folder):
    (folder / "units" / "spike_times" / "0").unlink()
    with open_file(folder) as root, pytest.warns(NeuridWarning) as told:
        assert root.dataset("units/spike_times").numbers().tolist() == [0] * 6
    assert str(told[0].message) == (
        f"{folder}: /units/spike_times lacks 1 of 1 chunks, which are read as 0.0. If the folder was complete where "
        "it was written, download it again."
    )


def test_chunks_that_were_not_fetched_are_refused(folder):
    chunk = folder / "units" / "spike_times" / "0"
    chunk.unlink()
    chunk.symlink_to(folder / ".git" / "annex" / "missing")
    assert refusal(folder) == f"{chunk} is a broken link. If DataLad manages it, download its content (datalad get)."


def test_links_lead_to_another_folder(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other.zarr")
    shutil.rmtree(folder / "units" / "spike_times")
    attributes = json.loads((folder / "units" / ".zattrs").read_text())
    link = {"name": "spike_times", "path": "/units/spike_times", "source": "../other.zarr"}
    (folder / "units" / ".zattrs").write_text(json.dumps({**attributes, "zarr_link": [link]}))
    assert_same(PLUGIN.read(folder, ReadOptions()), PLUGIN.read(other, ReadOptions()))


@pytest.mark.parametrize("target", ["/units/round", "/nothing", "units"])
def test_links_that_lead_nowhere_are_nothing(folder, target):
    link = {"name": "round", "path": target, "source": "."}
    (folder / "units" / ".zattrs").write_text(json.dumps({"zarr_link": [link]}))
    with open_file(folder) as root:
        assert (root.group("units/round") is None) == (target != "units")


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_pickles_are_not_run(hdf5, sound, as_zarr, tmp_path):
    folder = as_zarr(hdf5({**sound, "units/cell_type": ["a", "b", "c", "d"]}))
    array = folder / "units" / "cell_type"
    described = json.loads((array / ".zarray").read_text())
    (array / ".zarray").write_text(json.dumps({**described, "filters": [{"id": "pickle"}]}))
    values = np.array([Payload(tmp_path / "ran"), "b", "c", "d"], object)
    (array / "0").write_bytes(numcodecs.Blosc().encode(pickle.dumps(values)))
    with pytest.warns(NeuridWarning) as told:
        assert PLUGIN.read(folder, ReadOptions()).labels == {}
    assert str(told[0].message) == (
        f"{folder}: some data cannot be used and are left out:\n  - {folder}: /units/cell_type is damaged: it refers "
        f"to '{os.mkdir.__module__}.mkdir', which could run code. Validate the file, or fetch it again."
    )
    assert not (tmp_path / "ran").exists()


def test_references_to_what_is_not_there_are_damage(called, as_zarr, many_columns):
    folder = as_zarr(called(many_columns))
    shutil.rmtree(folder / "groups" / "right")
    said = (
        f"{folder}: /units/electrode_group is damaged: it refers to '/groups/right', which is not there. Validate the "
        "file, or fetch it again."
    )
    with pytest.warns(NeuridWarning) as told:
        PLUGIN.read(folder, ReadOptions())
    assert said in str(told[0].message)


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


def damage(path: Path, rng: np.random.Generator) -> None:
    """Bytes overwritten, cut off, or gone; or JSON with another value."""
    data = bytearray(path.read_bytes())
    kind = rng.integers(5)
    if kind == 0:
        path.write_bytes(data[: rng.integers(len(data))])
    elif kind == 1:
        path.unlink()
    elif kind == 2 and path.name.startswith(".z"):
        document = json.loads(data)
        values = [
            None,
            -1,
            10**15,
            "text",
            [],
            {},
            [10**9, 10**9],
            [0],
            {"id": "pickle"},
            [{"id": "pickle"}],
            "|O",
            "<f8",
        ]
        document[rng.choice(sorted(document) or ["x"])] = values[rng.integers(len(values))]
        path.write_text(json.dumps(document))
    else:
        for at in rng.integers(0, len(data), rng.integers(1, 9)):
            data[at] = rng.integers(256)
        path.write_bytes(data)


def test_damaged_folders_are_read_or_refused(called, as_zarr, many_columns, tmp_path):
    folder = as_zarr(called(many_columns), consolidated=False)
    rng = np.random.default_rng(7)
    paths = []
    for number in range(150):
        path = shutil.copytree(folder, tmp_path / f"damaged_{number}.nwb.zarr")
        files = sorted(each for each in path.rglob("*") if each.is_file() and "groups" not in each.parts)
        damage(files[rng.integers(len(files))], rng)
        paths.append(path)
    command = [sys.executable, "-c", READ]
    listed = "".join(f"{path}\n" for path in paths)
    done = subprocess.run(command, input=listed, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    for path, line in zip(paths, told, strict=True):
        assert line.startswith("Population(") or str(path) in line, line
    assert "UnreadableSource" in {line.partition(":")[0] for line in told}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "device", "link"])
@pytest.mark.parametrize("place", [".zattrs", "units/.zgroup", "units/spike_times/.zarray", "units/spike_times/0"])
def test_only_regular_files_are_read(folder, place, kind):
    """A pipe would wait for ever, and what is missing would stand for zeros."""
    path = folder / place
    path.unlink()
    if kind == "pipe":
        getattr(os, "mkfifo", lambda _: pytest.skip("there are no pipes"))(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    why = "is a broken link. If DataLad" if kind == "link" else "is a device or a pipe, a file was expected."
    assert refusal(folder).startswith(f"{path} {why}")

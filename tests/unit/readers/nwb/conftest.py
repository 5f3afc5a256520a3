"""Small recordings as bare HDF5, by what stands at each path, and as PyNWB writes them."""

from contextlib import ExitStack
from datetime import UTC, datetime
from hashlib import sha256

import h5py
import numpy as np
import pytest

# nwb_neurid is imported in the fixtures: what a conftest has imported, jaxtyping checks no more.


@pytest.fixture
def read():
    """Reads a file, and sees to it that reading changes no byte of it."""
    from nwb_neurid.contracts import ReadOptions
    from nwb_neurid.readers.nwb import PLUGIN

    def reading(path, **options):
        before = sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        try:
            return PLUGIN.read(path, ReadOptions(**options))
        finally:
            assert not before or sha256(path.read_bytes()).hexdigest() == before

    return reading


def written(path, contents):
    """An HDF5 file of what stands at each path, attributes after an @; None stands for nothing.

    What can be called makes its value of the file, as references to what is in it need.
    """
    with h5py.File(path, "w") as file:
        for place, stands in contents.items():
            at, _, attribute = place.partition("@")
            values = stands(file) if callable(stands) else stands
            if values is None:
                continue
            if attribute:
                (file[at] if at in file else file.require_group(at or "/")).attrs[attribute] = values
            elif isinstance(values, dict):
                file.create_dataset(at, **values)
            else:
                file[at] = values
    return path


def a_sound_recording():
    return {
        "@nwb_version": "2.7.0",
        "identifier": "a recording",
        "general/subject/subject_id": "mouse 1",
        "general/session_id": "day 2",
        "units/id": [7, 8, 9, 10],
        "units/spike_times": [0.5, 1.5, 2.5, 0.25, 9.75, 4.0],
        "units/spike_times_index": np.array([3, 5, 5, 6], np.uint8),
        "units/obs_intervals": [[0.0, 10.0]] * 4,
        "units/obs_intervals_index": np.array([1, 2, 3, 4], np.uint8),
    }


def electrodes_of_two_probes():
    table = "general/extracellular_ephys/electrodes"
    return {
        f"{table}/id": [104, 103, 102, 101, 100],
        f"{table}/location": ["CA1", "CA3", "DG", "root", "VISp"],
        f"{table}/group_name": ["left", "left", "left", "right", "right"],
        f"{table}/x": [10.0, 20.0, 30.0, 40.0, 50.0],
        f"{table}/y": [1.0, 2.0, 3.0, 4.0, 5.0],
        f"{table}/z": [0.0, 0.0, 0.0, 0.0, 0.0],
    }


@pytest.fixture
def sound():
    """Four units, the third of them silent, observed for 10 s."""
    return a_sound_recording()


@pytest.fixture
def electrodes():
    """Five electrodes of two probes, whose ids are no rows, to go with `sound`."""
    return electrodes_of_two_probes()


SEGMENTATION = "processing/ophys/ImageSegmentation"


def series_of_rois(values, path="processing/ophys/DfOverF/series", *, rois=None, table="plane", **contents):
    """A RoiResponseSeries of shape (samples, ROIs) at 10 Hz from 2 s, and a table of its ROIs, whose ids are no rows.

    `contents` are added to the series, or in place of what it has.
    """
    count = np.shape(values)[1] if np.ndim(values) == 2 else 1
    rows = np.arange(count) if rois is None else np.asarray(rois)
    series = {
        "@neurodata_type": "RoiResponseSeries",
        "/data": values,
        "/rois": rows,
        "/rois@table": lambda file: file[f"{SEGMENTATION}/{table}"].ref,
        "/starting_time": 2.0,
        "/starting_time@rate": 10.0,
    }
    series |= {f"/{name}": value for name, value in contents.items()}
    return {
        "@nwb_version": "2.7.0",
        f"{SEGMENTATION}/{table}/id": 10 * np.arange(rows.max(initial=-1) + 1),
        f"{SEGMENTATION}/{table}@neurodata_type": "PlaneSegmentation",
        **{f"{path}{name}": value for name, value in series.items()},
    }


@pytest.fixture
def rois():
    """Makes the contents of a file with traces, see `series_of_rois`."""
    return series_of_rois


@pytest.fixture(scope="session")
def rois_session():
    """`rois` for Hypothesis."""
    return series_of_rois


@pytest.fixture
def noise():
    """200 samples of five ROIs."""
    return np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)


@pytest.fixture
def hdf5(tmp_path):
    """Writes an HDF5 file of what stands at each path, attributes after an @; None stands for nothing."""
    return lambda contents, name="recording.nwb": written(tmp_path / name, contents)


@pytest.fixture(scope="session")
def hdf5_session(tmp_path_factory):
    """`hdf5`, `sound` and `electrodes` for Hypothesis: every example writes to one path."""
    path = tmp_path_factory.mktemp("examples") / "recording.nwb"
    return lambda contents: written(path, contents), a_sound_recording(), electrodes_of_two_probes()


@pytest.fixture
def opening(hdf5):
    """Writes a file as `hdf5` does and opens it, until the test ends, as the reader does."""
    from nwb_neurid.readers.nwb.file import open_file

    with ExitStack() as stack:
        yield lambda contents: stack.enter_context(open_file(hdf5({"@nwb_version": "2.7.0", **contents})))


@pytest.fixture
def write(tmp_path):
    """Fills an NWB file with PyNWB and writes it."""

    def write(fill):
        from pynwb import NWBHDF5IO, NWBFile
        from pynwb.file import Subject

        start = datetime(2020, 1, 1, tzinfo=UTC)
        nwbfile = NWBFile("a test", "a recording", start, session_id="day 1", subject=Subject(subject_id="mouse"))
        fill(nwbfile)
        path = tmp_path / "recording.nwb"
        with NWBHDF5IO(path, "w") as io:
            io.write(nwbfile)
        return path

    return write

"""An `NWBFile` of PyNWB is read as its file is, and stays as it is."""

from datetime import UTC, datetime

import numpy as np
import pytest

from nwb_neurid import NeuridError, NeuridWarning
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.readers.nwb import PLUGIN

pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed")


@pytest.fixture
def nwbfile():
    """Three units of two probes, not written yet."""
    made = pynwb.NWBFile("a test", "an object", datetime(2020, 1, 1, tzinfo=UTC), session_id="day 1")
    groups = [made.create_electrode_group(name, "x", "V1", made.create_device(name)) for name in ("left", "right")]
    for _ in range(3):
        made.add_electrode(group=groups[0], location="CA1")
    made.add_unit_column("cell_type", "known")
    rng = np.random.default_rng(0)
    for row in range(3):
        made.add_unit(
            spike_times=np.sort(rng.uniform(0, 10, 50)),
            obs_intervals=[[0.0, 10.0]],
            electrodes=[row],
            electrode_group=groups[row % 2],
            cell_type="PV",
        )
    return made


def read(source, **options):
    return PLUGIN.read(source, ReadOptions(**options))


def assert_same(one, other):
    np.testing.assert_array_equal(one.spikes.times_s, other.spikes.times_s)
    np.testing.assert_array_equal(one.observed_s, other.observed_s)
    assert one.group.tolist() == other.group.tolist()
    assert {name: own.tolist() for name, own in one.labels.items()} == {
        name: own.tolist() for name, own in other.labels.items()
    }


def test_an_open_file_is_read_as_its_path_is(nwbfile, tmp_path):
    path = tmp_path / "recording.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    with pynwb.NWBHDF5IO(path, "r") as io:
        source = io.read()
        assert PLUGIN.recognises(source)
        found = read(source)
        assert_same(found, read(path))
        assert found.source == str(path)
        assert read(source, where="id == 1").excluded.keys() == {0, 2}
        assert source.units["cell_type"][0] == "PV"  # still open


def test_a_file_in_memory_is_read_and_can_still_be_written(nwbfile, tmp_path):
    in_memory = read(nwbfile)
    assert nwbfile.container_source is None
    path = tmp_path / "recording.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    assert_same(in_memory, read(path))


def test_changes_that_are_not_written_are_told(nwbfile, tmp_path):
    path = tmp_path / "recording.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    with pynwb.NWBHDF5IO(path, "r") as io:
        source = io.read()
        source.add_scratch(np.ones(3), name="thoughts", description="new")
        with pytest.warns(
            NeuridWarning, match="changes to the NWBFile that were not written to the file yet are ignored"
        ):
            read(source)


def test_a_closed_file_is_one_line(nwbfile, tmp_path):
    path = tmp_path / "recording.nwb"
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    with pynwb.NWBHDF5IO(path, "r") as io:
        source = io.read()
    with pytest.raises(NeuridError) as refused:
        read(source)
    assert str(refused.value) == f"The NWBFile belongs to {path}, which is closed. Pass its path, or open it again."


def test_what_cannot_be_written_is_one_line(nwbfile, monkeypatch):
    def fail(*_, **__):
        raise TypeError("no way to store this")

    monkeypatch.setattr(pynwb.NWBHDF5IO, "write", fail)
    with pytest.raises(NeuridError, match=r"The NWBFile in memory cannot be read: TypeError: no way to store this\. W"):
        read(nwbfile)

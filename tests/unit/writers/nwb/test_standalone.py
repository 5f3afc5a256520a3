"""A population as an NWB file of its own."""

import numpy as np
import pynwb
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import CannotWrite
from nwb_neurid.population import Population, Spikes, Traces
from nwb_neurid.readers.nwb import PLUGIN
from nwb_neurid.writers.nwb.standalone import ROIS, UNITS, write_recording


@pytest.fixture
def spiking() -> Population:
    """Two units with names, the second of them observed for a part of the time; a gap from 4 to 5 s."""
    return Population(
        unit_ids=np.array(["b7", "a1"]),
        activity=Spikes.of([np.array([0.5, 1.5, 6.0]), np.array([5.5, 6.25])]),
        observed_s=np.array([[0.0, 4.0], [5.0, 8.0]]),
        unit_observed=np.array([[True, True], [False, True]]),
        group=np.array(["probe A", "probe B"]),
        labels={"cell_type": np.array(["PV", ""])},
        subject_id="M1",
        session_id="S1",
    )


def test_spikes_come_back(spiking, tmp_path):
    path = tmp_path / "out.nwb"
    assert write_recording(spiking, path) == UNITS
    assert not pynwb.validate(path=path)
    back = PLUGIN.read(path, ReadOptions())
    np.testing.assert_array_equal(back.activity.times_s, spiking.activity.times_s)
    np.testing.assert_array_equal(back.activity.splits, spiking.activity.splits)
    np.testing.assert_array_equal(back.runs_s(1), [[5.0, 8.0]])
    assert back.labels["cell_type"].tolist() == ["PV", ""]
    assert back.labels["name_in_source"].tolist() == ["b7", "a1"]
    assert (back.subject_id, back.session_id) == ("M1", "S1")


def test_traces_come_back(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    population = Population(
        unit_ids=np.array([4, 8, 9]),
        activity=Traces(values=values, rate_hz=10.0, start_s=2.0),
        observed_s=np.array([[2.0, 4.0], [5.0, 7.0]]),
        excluded={1: "not a cell"},
    )
    path = tmp_path / "out.nwb"
    assert write_recording(population, path) == ROIS
    assert not pynwb.validate(path=path)
    with pynwb.NWBHDF5IO(path, "r") as io:
        nwbfile = io.read()
        series = nwbfile.processing["ophys"]["DfOverF"]["RoiResponseSeries"]
        np.testing.assert_array_equal(series.data[:], values.T)
        assert (series.rate, series.starting_time) == (10.0, 2.0)
        rois = nwbfile.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert rois.id[:].tolist() == [4, 8, 9]
        assert list(rois["left_out"][:]) == ["", "not a cell", ""]
        gap = nwbfile.invalid_times
        np.testing.assert_allclose([gap["start_time"][0], gap["stop_time"][0]], [4.0, 5.0])


def test_an_existing_file_is_not_touched(spiking, tmp_path):
    path = tmp_path / "out.nwb"
    path.write_bytes(b"mine")
    with pytest.raises(CannotWrite, match=r"out\.nwb cannot be written"):
        write_recording(spiking, path)
    assert path.read_bytes() == b"mine"

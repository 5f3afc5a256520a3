"""Real recordings, as their README describes them."""

from collections import Counter

import h5py
import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.readers.nwb import PLUGIN


@pytest.fixture(scope="module")
def steinmetz(shared_data):
    """Eleven sessions of Steinmetz et al. 2019."""
    paths = sorted((shared_data / "steinmetz").glob("*.nwb"))
    return {path: PLUGIN.read(path, ReadOptions()) for path in paths}


@pytest.fixture(scope="module")
def cellexplorer(shared_data):
    """Units of known type; their files do not state when they were observed."""
    paths = sorted((shared_data / "cellexplorer").glob("*.nwb"))
    with pytest.warns(NeuridWarning, match="does not state when its units were observed"):
        return {path: PLUGIN.read(path, ReadOptions()) for path in paths}


def test_steinmetz_has_10996_units_of_three_mice(steinmetz):
    assert len(steinmetz) == 11
    assert sum(len(population) for population in steinmetz.values()) == 10_996
    subjects, sessions = np.unique([one.subject_id for one in steinmetz.values()], return_counts=True)
    assert dict(zip(subjects, sessions, strict=True)) == {"Cori": 3, "Forssmann": 4, "Hench": 4}
    assert len({(one.subject_id, one.session_id) for one in steinmetz.values()}) == 11


def test_steinmetz_was_observed_for_a_short_time_after_each_stimulus(steinmetz):
    first = next(iter(steinmetz.values()))
    assert (len(first), len(first.runs_s())) == (734, 114)
    assert first.duration_s == pytest.approx(45.6)
    for population in steinmetz.values():
        assert 45 < population.duration_s < 179
        assert population.unit_observed is None
        np.testing.assert_allclose(np.diff(population.observed_s), 0.4)


def test_how_large_the_sessions_of_steinmetz_are(steinmetz):
    def extremes(numbers):
        return min(numbers), max(numbers)

    sessions = steinmetz.values()
    assert extremes([len(one) for one in sessions]) == (584, 1769)  # the README says 474
    assert extremes([len(one.runs_s()) for one in sessions]) == (114, 447)
    assert extremes([round(one.duration_s) for one in sessions]) == (46, 179)
    assert extremes([round(np.ptp(one.observed_s) / 60) for one in sessions]) == (16, 29)  # and 14


def test_every_spike_of_steinmetz_lies_in_observed_time(steinmetz):
    for path, population in steinmetz.items():
        with h5py.File(path) as file:
            np.testing.assert_array_equal(population.spikes.times_s, file["units/spike_times"][:])
        start, stop = population.observed_s.T
        at = np.searchsorted(start, population.spikes.times_s + 1e-6, "right") - 1
        assert np.all(population.spikes.times_s < stop[at])


def test_silent_units_of_steinmetz_stay(steinmetz):
    silent = 0
    for path, population in steinmetz.items():
        with h5py.File(path) as file:
            counts = np.diff(file["units/spike_times_index"][:].astype(np.int64), prepend=0)
        np.testing.assert_array_equal(population.spikes.counts(), counts)
        silent += np.sum(counts == 0)
    assert silent > 0


@pytest.mark.filterwarnings("ignore:The 'manufacturer' field is deprecated:DeprecationWarning")  # older than PyNWB
def test_regions_of_steinmetz_are_those_that_pynwb_reads(steinmetz):
    from pynwb import NWBHDF5IO

    path, population = next(iter(steinmetz.items()))
    with NWBHDF5IO(path, "r") as io:
        units = io.read().units
        expected = [units["electrodes"][row]["location"].item() for row in range(len(units))]
    assert population.labels["brain_region"].tolist() == ["" if name == "root" else name for name in expected]


def test_root_is_no_region(steinmetz):
    roots = 0
    for path, population in steinmetz.items():
        with h5py.File(path) as file:
            locations = file["general/extracellular_ephys/electrodes/location"].asstr()[:]
            names = locations[file["units/electrodes"][:]]
        regions = population.labels["brain_region"]
        np.testing.assert_array_equal(regions, np.where(names == "root", "", names))
        roots += np.sum(names == "root")
    assert roots > 0


def test_cellexplorer_has_47_units_of_known_type(cellexplorer):
    assert len(cellexplorer) == 28
    assert sum(len(population) for population in cellexplorer.values()) == 47
    types = Counter(name for one in cellexplorer.values() for name in one.labels["cell_type"].tolist())
    tagged = {"Axo_Axonic": 12, "PV": 7, "SST": 6, "VGAT": 3, "VIP": 6}
    assert types == {**tagged, "Juxta:Narrow Interneuron": 4, "Juxta:Pyramidal Cell": 9}
    assert all(one.subject_id and one.session_id for one in cellexplorer.values())


def test_cellexplorer_keeps_every_spike_and_region(cellexplorer):
    for path, population in cellexplorer.items():
        with h5py.File(path) as file:
            np.testing.assert_array_equal(population.spikes.times_s, file["units/spike_times"][:])
            regions = [name.strip() for name in file["units/region"].asstr()[:]]
        known = population.labels.get("brain_region", np.full(len(population), ""))
        assert [name for name in regions if name.lower() not in {"", "[]", "unknown"}] == [
            name for name in known if name
        ]


def test_a_file_written_from_phy(shared_data):
    population = PLUGIN.read(shared_data / "nwb" / "A8604-211122.nwb", ReadOptions())
    assert population.unit_ids.tolist() == [6, 191, 206]
    assert population.spikes.counts().tolist() == [11_020, 4690, 5644]
    assert 1087 < population.duration_s < 1088
    assert "brain_region" not in population.labels
    assert set(population.group) == {"group0_psb"}
    assert population.positions_um is None


def test_the_allen_excerpt_is_74_cells_of_visp_at_30_hz(shared_data):
    path = shared_data / "ophys" / "allen_552195520_excerpt.nwb"
    population = PLUGIN.read(path, ReadOptions())
    traces = population.activity
    assert (len(population), traces.values.shape, traces.rate_hz, traces.kind) == (74, (74, 6001), 30, "dff")
    assert population.duration_s == pytest.approx(6001 / 30)
    assert population.labels["brain_region"].tolist() == ["VISp"] * 74
    assert (population.positions_um, population.excluded) == (None, {})
    with h5py.File(path) as file:
        stored = file["processing/ophys/DfOverF/RoiResponseSeries/data"][:]
        np.testing.assert_array_equal(traces.values, stored.T)
        ids = file["processing/ophys/ImageSegmentation/PlaneSegmentation/id"][:]
        np.testing.assert_array_equal(population.unit_ids, ids)


def test_trials_of_steinmetz_are_covariates(shared_data):
    for path in sorted((shared_data / "steinmetz").glob("*.nwb")):
        population = PLUGIN.read(path, ReadOptions(covariates=True))
        assert list(population.covariates) == ["trials/contrast_left", "trials/contrast_right", "trials/feedback"]
        with h5py.File(path) as file:
            trials = file["intervals/trials"]
            starts, feedback = trials["start_time"][:], trials["feedback"][:]
        held = population.covariates["trials/feedback"].binned(starts + 0.1, 0.02)
        np.testing.assert_array_equal(held[:, 0], feedback)
        contrast = population.covariates["trials/contrast_left"].binned(population.bin_starts_s(0.02), 0.02)
        assert not np.isnan(contrast).any()  # it was observed in trials only

"""Folders that suite2p wrote of real recordings. Neither says its frame rate."""

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.suite2p import PLUGIN
from nwb_neurid.readers.suite2p.pickled import objects

RECORDED = [("hippocampy", 20, 20, 18_000), ("pynapple", 219, 20, 2000)]


@pytest.mark.parametrize(("name", "units", "cells", "frames"), RECORDED)
@pytest.mark.parametrize("activity", ["dff", "fluorescence", "deconvolved"])
def test_a_recorded_folder_is_read_whole(shared_data, name, units, cells, frames, activity):
    folder = shared_data / "suite2p" / name
    assert PLUGIN.recognises(folder)
    population = PLUGIN.read(folder, ReadOptions(rate_hz=30.0, activity=activity))
    assert population.activity.values.shape == (units, frames)
    assert population.duration_s == pytest.approx(frames / 30)
    assert population.group.tolist() == ["plane0"] * units
    kept = [row for row in range(units) if row not in population.excluded]
    assert len(kept) == cells
    assert np.isfinite(population.activity.values[kept]).all()


@pytest.mark.parametrize("name", ["hippocampy", "pynapple"])
def test_a_recorded_folder_without_its_rate_says_what_to_do(shared_data, name):
    with pytest.raises(UnreadableSource, match=r"The frame rate is unknown: .*Pass --rate-hz"):
        PLUGIN.read(shared_data / "suite2p" / name, ReadOptions())


@pytest.mark.parametrize(("name", "row"), [("hippocampy", 3), ("pynapple", 75)])
def test_a_recorded_trace_is_its_definition(shared_data, suite2p, name, row):
    folder = shared_data / "suite2p" / name
    population = PLUGIN.read(folder, ReadOptions(rate_hz=5.0, all_rois=True))
    raw, neuropil = (np.load(folder / "plane0" / f"{part}.npy")[row : row + 1] for part in ("F", "Fneu"))
    expected = suite2p.dff_by_loops(raw, neuropil, 0.7, 10.0, 301)
    np.testing.assert_allclose(population.activity.values[row : row + 1], expected, rtol=1e-5, atol=1e-6)


def test_a_cell_darker_than_its_neuropil_stays_bounded(shared_data):
    """Its corrected baseline is below zero all the time: dF/F over that would be negative where it fires."""
    folder = shared_data / "suite2p" / "pynapple"
    population = PLUGIN.read(folder, ReadOptions(rate_hz=30.0))
    cells = [row for row in range(len(population)) if row not in population.excluded]
    corrected = PLUGIN.read(folder, ReadOptions(rate_hz=30.0, activity="fluorescence")).activity.values
    dark = [row for row in cells if np.median(corrected[row]) < 0]
    assert len(dark) == 1
    assert 1 < population.activity.values[dark[0]].max() < 11


@pytest.mark.parametrize(("name", "units"), [one[:2] for one in RECORDED])
def test_recorded_statistics_are_read(shared_data, name, units):
    rois = objects(shared_data / "suite2p" / name / "plane0" / "stat.npy")
    assert len(rois) == units
    assert all(len(roi["med"]) == 2 and isinstance(roi["radius"], float) for roi in rois)

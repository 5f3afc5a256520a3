"""Analyzers of a few units: in memory, in a folder, in Zarr."""

from collections.abc import Callable

import numpy as np
import pytest

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

RATE_HZ = 30_000.0
DURATION_S = 60.0
UNITS = ("3", "1", "cell 2", "0", "9", "4")


@pytest.fixture(scope="session")
def sorting():
    """Six units with names of their own, in no order, that fire at different rates; the fourth is silent."""
    rng = np.random.default_rng(0)
    rates_hz = [5.0, 20.0, 2.0, 0.0, 12.0, 8.0]
    trains = {
        unit: np.unique(rng.integers(0, int(DURATION_S * RATE_HZ), rng.poisson(rate * DURATION_S)))
        for unit, rate in zip(UNITS, rates_hz, strict=True)
    }
    return core.NumpySorting.from_unit_dict([trains], RATE_HZ)


@pytest.fixture(scope="session")
def voltage():
    """A silent recording on two channels."""
    recording = core.NumpyRecording([np.zeros((int(DURATION_S * RATE_HZ), 2), np.float32)], RATE_HZ)
    recording.set_dummy_probe_from_locations(np.array([[0.0, 0.0], [0.0, 20.0]]))
    return recording


@pytest.fixture
def make_analyzer(sorting, voltage, tmp_path) -> Callable[..., "core.SortingAnalyzer"]:
    """Makes an analyzer of them in a format of SpikeInterface."""

    def make(format="memory", units=sorting):
        where = {} if format == "memory" else {"folder": tmp_path / {"zarr": "analyzer.zarr"}.get(format, "analyzer")}
        main = {"main_channel_indices": np.zeros(len(units.unit_ids), int)}
        return core.create_sorting_analyzer(units, voltage, format=format, sparse=False, **where, **main)

    return make


@pytest.fixture
def analyzer(make_analyzer) -> "core.SortingAnalyzer":
    """In memory."""
    return make_analyzer()


@pytest.fixture(params=["memory", "binary_folder", "zarr"])
def each_analyzer(request, make_analyzer) -> "core.SortingAnalyzer":
    """In each format."""
    return make_analyzer(request.param)


@pytest.fixture(params=["binary_folder", "zarr"])
def saved_analyzer(request, make_analyzer) -> "core.SortingAnalyzer":
    """In each format that lasts."""
    return make_analyzer(request.param)

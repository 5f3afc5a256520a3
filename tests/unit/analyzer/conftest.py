"""Analyzers of a few units: in memory, in a folder, in Zarr."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.labels.fitting import fit_head

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


@pytest.fixture(scope="session")
def make_analyzer_in_memory(sorting, voltage) -> Callable[..., "core.SortingAnalyzer"]:
    """Makes an analyzer of some units, or of all, in memory."""

    def make(units=sorting):
        main = {"main_channel_indices": np.zeros(len(units.unit_ids), int)}
        return core.create_sorting_analyzer(units, voltage, sparse=False, **main)

    return make


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


@pytest.fixture
def scant(make_analyzer, sorting) -> "core.SortingAnalyzer":
    """In memory, with too few spikes of "9" to name it."""
    trains = {unit: sorting.get_unit_spike_train(unit) for unit in UNITS}
    return make_analyzer(units=core.NumpySorting.from_unit_dict([trains | {"9": trains["9"][:30]}], RATE_HZ))


CLASSES = ("NA", "None", "FS")


@pytest.fixture(scope="session")
def predicting(make_analyzer_in_memory):
    """A model whose heads know these units: with labels that tables in CSV would lose, and regions."""
    vectors = nwb_neurid.new_model("isi").embed(nwb_neurid.read(make_analyzer_in_memory())).vectors
    rng = np.random.default_rng(1)
    rows = rng.permutation(np.repeat([0, 1, 2, 4, 5], 60))
    near = vectors[rows] + rng.normal(scale=0.05, size=(len(rows), vectors.shape[1])).astype(np.float32)
    subjects = np.array([f"mouse {number}" for number in np.arange(len(rows)) % 10])
    classes = {"cell_type": np.array([*CLASSES, "", "FS", "FS"]), "brain_region": np.array(["CA1", "CA3"] * 3)}
    model = nwb_neurid.new_model("isi")
    heads = {
        name: fit_head(near, of[rows], subjects, label_name=name, encoder=model.identity, scope="units of this test")
        for name, of in classes.items()
    }
    return replace(model, heads=heads)


@pytest.fixture
def with_templates(predicting, sorting):
    """Makes an analyzer on a recording, with templates and predictions of one label, as exporters need it."""
    voltage = core.generate_recording(num_channels=4, durations=[60.0], sampling_frequency=30_000.0, seed=0)

    def make(units=sorting):
        main = {"main_channel_indices": np.zeros(len(units.unit_ids), int)}
        analyzer = core.create_sorting_analyzer(units, voltage, sparse=False, **main)
        analyzer.compute({"random_spikes": {}, "templates": {"operators": ["average", "std"]}}, progress_bar=False)
        analyzer.compute(
            "neurid_predictions", model=replace(predicting, heads={"cell_type": predicting.heads["cell_type"]})
        )
        return analyzer

    return make

"""Waveforms and locations of an analyzer reach whoever embeds its units, and follow them."""

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.analyzer.extension import read_population

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

# SpikeInterface says so of what is in memory alone, and its libraries what they will.
pytestmark = pytest.mark.filterwarnings("ignore")

PARTS = ["random_spikes", "templates", "unit_locations"]


@pytest.fixture(scope="module")
def recorded():
    """A recording with six units, of which the third never fires."""
    voltage, sorting = core.generate_ground_truth_recording(durations=[12.0], num_channels=8, num_units=6, seed=0)
    trains = {unit: sorting.get_unit_spike_train(unit, segment_index=0) for unit in sorting.unit_ids}
    return voltage, core.NumpySorting.from_unit_dict([{**trains, "2": trains["2"][:0]}], sorting.sampling_frequency)


@pytest.fixture
def make(recorded, tmp_path):
    """Makes an analyzer of them with some extensions."""
    voltage, sorting = recorded

    def made(*parts, format="memory", **options):
        where = {} if format == "memory" else {"folder": tmp_path / ("a.zarr" if format == "zarr" else "a")}
        main = {"main_channel_indices": np.zeros(6, int)}
        analyzer = core.create_sorting_analyzer(
            sorting, voltage, format=format, **where, sparse=False, **main, **options
        )
        for part in parts:
            analyzer.compute(part, progress_bar=False)
        return analyzer

    return made


def largest(analyzer):
    """The average template of each unit on its channel of largest peak-to-peak amplitude."""
    templates = analyzer.get_extension("templates").data["average"]
    peak = np.ptp(templates, axis=1).argmax(axis=1)
    waveforms = templates[np.arange(len(templates)), :, peak].astype(np.float32)
    return np.where(np.any(waveforms, axis=1, keepdims=True), waveforms, np.nan)


@pytest.mark.parametrize("format", ["memory", "binary_folder", "zarr"])
def test_the_waveform_is_the_average_template_on_the_channel_where_it_is_largest(make, format):
    analyzer = make(*PARTS[:2], format=format)
    population = nwb_neurid.read(analyzer)
    np.testing.assert_array_equal(population.waveforms_uv, largest(analyzer))
    assert np.isnan(population.waveforms_uv).all(axis=1).tolist() == [False, False, True, False, False, False]
    assert population.waveform_rate_hz == analyzer.sampling_frequency
    if format != "memory":
        again = nwb_neurid.load_analyzer(analyzer.folder)
        again._recording = None
        for source in (again, analyzer.folder):
            np.testing.assert_array_equal(nwb_neurid.read(source).waveforms_uv, population.waveforms_uv)


def test_sparse_templates_do_as_well(recorded):
    voltage, sorting = recorded
    sparse = core.create_sorting_analyzer(sorting.select_units(["0", "1", "3"]), voltage, sparse=True, radius_um=40.0)
    for part in PARTS[:2]:
        sparse.compute(part, progress_bar=False)
    assert sparse.is_sparse()
    np.testing.assert_array_equal(nwb_neurid.read(sparse).waveforms_uv, largest(sparse))


def test_without_templates_in_microvolts_there_are_no_waveforms(make):
    assert nwb_neurid.read(make()).waveforms_uv is None
    assert nwb_neurid.read(make(*PARTS[:2], return_in_uV=False)).waveforms_uv is None
    median = make("random_spikes", "waveforms")
    median.compute("templates", operators=["median"], progress_bar=False)
    assert nwb_neurid.read(median).waveforms_uv is None
    assert nwb_neurid.read(median).waveform_rate_hz is None


@pytest.mark.parametrize("first", ["neurid_embeddings", "templates"])
@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_units_that_are_merged_split_or_selected_take_theirs_along(make, first, mode, monkeypatch):
    """Whichever was computed first: an encoder sees the waveforms of the new units."""
    parts = ["random_spikes", "waveforms", "templates", "unit_locations"]
    analyzer = make(*(() if first == "neurid_embeddings" else parts))
    analyzer.compute("neurid_embeddings", encoder="isi")
    if first == "neurid_embeddings":
        for part in parts:
            analyzer.compute(part, progress_bar=False)
    seen = []

    def embed(model, population, **options):
        seen.append(population)
        return wanted(model, population, **options)

    wanted = nwb_neurid.Model.embed
    monkeypatch.setattr(nwb_neurid.Model, "embed", embed)
    merged = analyzer.merge_units([["0", "1"]], merging_mode=mode)
    np.testing.assert_array_equal(seen[-1].waveforms_uv, largest(merged))
    assert seen[-1].positions_um is not None
    spikes = analyzer.sorting.count_num_spikes_per_unit()["3"]
    halves = [np.arange(0, spikes, 2), np.arange(1, spikes, 2)]
    split = analyzer.split_units({"3": halves}, splitting_mode=mode)
    np.testing.assert_array_equal(seen[-1].waveforms_uv, largest(split))
    selected = analyzer.select_units(["4", "0"])
    np.testing.assert_array_equal(
        read_population(selected, nwb_neurid.new_model("isi")).waveforms_uv, largest(selected)
    )

"""Cell types are written beside the vectors, whatever the recording and the output."""

import csv

import h5py
import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.prediction import PredictionOptions
from nwb_neurid.results import select
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.nwb.store import remove
from nwb_neurid.writers.options import WriteOptions

CRITERION, ISI = "neurid_cellexplorer", "neurid_isi"
TYPES, DEFAULT = "neurid_cell_types", "neurid_company"


def spike(trough_to_peak_ms, rate_khz=30.0, samples=60):
    t = (np.arange(samples) - 20) / rate_khz
    return -np.exp(-((t / 0.1) ** 2)) + 0.3 * np.exp(-(((t - trough_to_peak_ms) / 0.15) ** 2))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A recording without waveforms."""
    return write_nwb(simulate(8, 60.0, 1), tmp_path_factory.mktemp("plain") / "recording.nwb")


@pytest.fixture(scope="module")
def original(plain, tmp_path_factory):
    """The same with a mean waveform of each unit but one, narrow and wide in turn."""
    path = tmp_path_factory.mktemp("with_waveforms") / "recording.nwb"
    path.write_bytes(plain.read_bytes())
    shapes = np.array([spike(0.25 if row % 2 else 0.6) for row in range(8)])
    shapes[3] = np.nan
    with h5py.File(path, "r+") as file:
        units = file["units"]
        column = units.create_dataset("waveform_mean", data=shapes)
        column.attrs.update(
            {"neurodata_type": "VectorData", "namespace": "hdmf-common", "description": "mean", "sampling_rate": 3e4}
        )
        units.attrs["colnames"] = [*units.attrs["colnames"], "waveform_mean"]
    return path


@pytest.fixture
def recording(original, tmp_path):
    path = tmp_path / "recording.nwb"
    path.write_bytes(original.read_bytes())
    return path


def embed(path, **options):
    return embed_file(path, nwb_neurid.new_model("isi"), **options)


def read(path):
    return {name: (embeddings, predictions) for name, embeddings, predictions in nwb_neurid.read_results(path)}


def test_types_by_a_criterion_are_written_beside_the_vectors(recording):
    outcome = embed(recording)
    assert outcome.names == (ISI, CRITERION)
    written = read(recording)
    assert written.keys() == {ISI, CRITERION}
    measured, (putative,) = written[CRITERION]
    assert (measured.reasons == "").sum() <= 7
    assert set(putative.label.tolist()) >= {"narrow interneuron", ""}
    assert putative.reasons[3] == "no mean waveform with a known sampling rate"
    for unknown in (putative.coverage, putative.prevalence, putative.probability):
        assert np.isnan(unknown).all()
    assert "no classifier" in putative.scope
    assert "no classifier" in putative.provenance.training
    (found,) = outcome.cell_types
    assert found.summary.startswith("putative cell type by CellExplorer's criterion: 3 narrow interneuron, ")
    assert "1 no mean waveform with a known sampling rate" in found.summary


def test_in_python_they_are_the_same(recording, tmp_path):
    embeddings = nwb_neurid.embed(recording, model="isi")
    putative = embeddings.predictions["putative_cell_type"]
    assert embeddings.beside.keys() == {CRITERION}
    assert select(embeddings, np.array([3])).beside[CRITERION].unit_ids.tolist() == [embeddings.unit_ids[3]]
    nwb_neurid.write(recording, embeddings, output=tmp_path / "python.nwb")
    embed(recording)
    for path in (tmp_path / "python.nwb", recording):
        written = read(path)
        assert written.keys() == {ISI, CRITERION}
        assert written[CRITERION][1][0].label.tolist() == putative.label.tolist()
        assert written[CRITERION][1][0].reasons.tolist() == putative.reasons.tolist()
    assert nwb_neurid.embed(recording, model="isi", criteria="none").predictions == {}


def test_they_are_replaced_when_other_vectors_are_written(recording):
    embed(recording)
    embed(recording, writing=WriteOptions(name="again"))
    assert read(recording).keys() == {ISI, "again", CRITERION}


def test_a_criterion_is_chosen_by_its_name_or_none_is(recording):
    outcome = embed(recording, criteria="none")
    assert (outcome.cell_types, outcome.names) == ((), (ISI,))
    outcome = embed(recording, criteria="bombcell", writing=WriteOptions(name="second"))
    assert outcome.names == ("second", "neurid_bombcell"), "what it measured is kept"
    assert "its brain region is not known" in outcome.cell_types[0].summary
    with pytest.raises(InvalidOption, match=r"no criterion 'all'\. Choose one of: auto, cellexplorer, bombcell, none"):
        embed(recording, criteria="all", writing=WriteOptions(name="other"))


def test_a_criterion_that_abstains_from_every_unit_is_reported_and_not_written(plain, tmp_path):
    outcome = embed(plain, writing=WriteOptions(output=tmp_path / "copy.nwb"))
    (found,) = outcome.cell_types
    assert found.summary.endswith("criterion: 8 abstained: 8 no mean waveform with a known sampling rate")
    assert not found.is_worth_keeping
    assert read(tmp_path / "copy.nwb").keys() == {ISI}
    assert nwb_neurid.embed(plain, model="isi").beside == {}


def test_a_name_that_they_have_is_refused(recording):
    before = recording.read_bytes()
    with pytest.raises(InvalidOption, match=f"--name {CRITERION} is already the name of the cell types"):
        embed(recording, writing=WriteOptions(name=CRITERION))
    assert recording.read_bytes() == before


def test_a_sidecar_holds_them_too(recording, tmp_path):
    for name in ("one", "two"):
        outcome = embed(recording, writing=WriteOptions(sidecar=True, name=name, output=tmp_path / "side.nwb"))
        assert outcome.names == (name, CRITERION)
    assert read(tmp_path / "side.nwb").keys() == {"one", "two", CRITERION}


def test_columns_of_units_hold_them_too(recording):
    embed(recording, writing=WriteOptions(units_columns=True))
    with h5py.File(recording) as file:
        assert "neurid_putative_cell_type" in file["units"].attrs["colnames"]
    remove(recording, CRITERION)
    with h5py.File(recording) as file:
        assert "neurid_putative_cell_type" not in file["units"].attrs["colnames"]


def test_a_table_has_them_side_by_side(recording, tmp_path):
    embed(recording, writing=WriteOptions(format="csv", output=tmp_path / "units.csv"))
    with (tmp_path / "units.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["putative_cell_type_predicted_label"] == "narrow interneuron"
    assert rows[3]["putative_cell_type_reason"] == "no mean waveform with a known sampling rate"


@pytest.fixture
def phy(tmp_path):
    """A folder of Kilosort with three clusters on four channels."""
    folder = tmp_path / "phy"
    folder.mkdir()
    rng = np.random.default_rng(0)
    times = np.sort(rng.choice(30_000 * 60, 3_000, replace=False))
    clusters = np.tile([0, 1, 2], 1_000).astype(np.int32)
    templates = np.zeros((3, 60, 4), np.float32)
    templates[:, :, 1] = [spike(width) for width in (0.25, 0.6, 0.6)]
    arrays = {"spike_times": times, "spike_clusters": clusters, "spike_templates": clusters, "templates": templates}
    arrays |= {"whitening_mat_inv": np.eye(4), "channel_positions": np.c_[np.zeros(4), 20.0 * np.arange(4)]}
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    (folder / "params.py").write_text("sample_rate = 30000.0\n")
    return folder


@pytest.mark.filterwarnings("ignore:.* does not state how long it was recorded")
def test_phy_shows_them(phy):
    assert embed(phy, writing=WriteOptions(format="phy")).path.name == "cluster_neurid_isi.tsv"
    rows = (phy / f"cluster_{CRITERION}_putative_cell_type.tsv").read_text().splitlines()
    assert rows[:2] == [f"cluster_id\t{CRITERION}_putative_cell_type", "0\tnarrow interneuron"]
    embed(phy, writing=WriteOptions(format="phy", name="again"))
    assert (phy / "cluster_neurid_again.tsv").exists()


@pytest.mark.filterwarnings("ignore:.* does not state how long it was recorded")
def test_another_format_gets_a_file_with_all_of_it(phy):
    assert read(embed(phy).path).keys() == {ISI, CRITERION}


@pytest.mark.filterwarnings("ignore:The (extractor|Recording) is not serializable")
@pytest.mark.filterwarnings("ignore:.* does not state how long it was recorded")
def test_an_analyzer_has_them(tmp_path):
    core = pytest.importorskip("spikeinterface.core")
    recording, sorting = core.generate_ground_truth_recording(durations=[60.0], num_channels=4, num_units=4, seed=0)
    analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    analyzer.compute(["random_spikes", "waveforms", "templates"], progress_bar=False)
    folder = tmp_path / "analyzer"
    analyzer.save_as(folder=folder, format="binary_folder")
    outcome = embed(folder)
    assert read(outcome.path).keys() == {ISI, CRITERION}
    assert "no mean waveform" not in outcome.cell_types[0].summary


def test_the_model_for_cell_types_is_applied_beside_the_default(recording, tmp_path):
    outcome = embed_file(recording, device="cpu", writing=WriteOptions(units_columns=True))
    assert outcome.names == (DEFAULT, CRITERION, TYPES)
    vectors, (types,) = read(recording)[TYPES]
    assert vectors.vectors.shape[1] == 67
    assert (types.label_name, types.coverage) == ("cell_type", 0.8)
    assert types.reasons[3].startswith("no waveform")
    assert types.abstained[3]
    assert any("all classes are equally common" in note for note in types.notes)
    with h5py.File(recording) as file:
        assert {"neurid_putative_cell_type", "neurid_cell_type"} <= set(file["units"].attrs["colnames"])
    found = nwb_neurid.embed(recording, device="cpu")
    assert found.beside.keys() == {CRITERION, TYPES}
    np.testing.assert_array_equal(found.predictions["cell_type"].class_probabilities, types.class_probabilities)


def test_it_is_not_asked_where_there_is_no_waveform_or_a_model_is_named(plain, recording, tmp_path):
    outcome = embed_file(plain, device="cpu", writing=WriteOptions(output=tmp_path / "copy.nwb"))
    assert outcome.names == (DEFAULT,)
    assert embed(recording).names == (ISI, CRITERION)


def test_options_of_predictions_are_for_the_model_that_predicts(recording, tmp_path):
    asked = PredictionOptions(label="cell_type", prior="neocortex", coverage=0.9)
    outcome = embed_file(recording, prediction=asked, device="cpu", writing=WriteOptions(output=tmp_path / "copy.nwb"))
    ((types,),) = [each.results.predictions for each in outcome.cell_types if each.results.name == TYPES]
    assert types.coverage == 0.9
    assert any("the class shares of neocortex: 15% of the neurons are GABAergic" in note for note in types.notes)
    wrong = PredictionOptions(prior="ca1")
    with pytest.raises(InvalidOption, match=r"cell_type, or one of uniform, neocortex, got 'ca1'\."):
        embed_file(recording, prediction=wrong, device="cpu", writing=WriteOptions(output=tmp_path / "other.nwb"))

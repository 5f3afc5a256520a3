"""Beside the vectors of the default model, criteria and a model that ships say of what kind each unit is."""

import csv
from dataclasses import replace

import h5py
import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.prediction import PredictionOptions
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.nwb.store import remove
from nwb_neurid.writers.options import WriteOptions

CRITERION, TYPES, DEFAULT = "neurid_cellexplorer", "neurid_cell_types", "neurid_neurpir"


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


def read(path):
    return {name: (embeddings, predictions) for name, embeddings, predictions in nwb_neurid.read_results(path)}


def test_types_are_written_beside_the_vectors(recording):
    outcome = embed_file(recording, device="cpu")
    assert outcome.names == (DEFAULT, CRITERION, TYPES)
    written = read(recording)
    assert written.keys() == {DEFAULT, CRITERION, TYPES}
    measured, (putative,) = written[CRITERION]
    assert (measured.reasons == "").sum() <= 7
    assert set(putative.label.tolist()) >= {"narrow interneuron", ""}
    assert putative.reasons[3] == "no mean waveform with a known sampling rate"
    assert np.isnan(putative.coverage)
    assert np.isnan(putative.prevalence).all()
    assert np.isnan(putative.probability).all()
    assert "no classifier" in putative.scope
    assert "no classifier" in putative.provenance.training
    vectors, predictions = written[TYPES]
    assert vectors.vectors.shape[1] == 67
    types, kinds = sorted(predictions, key=lambda each: each.label_name)
    assert (types.label_name, types.coverage, kinds.label_name) == ("cell_type", 0.8, "excitatory_inhibitory")
    assert types.reasons[3].startswith("no waveform")
    assert types.abstained[3]
    assert any("all classes are equally common" in note for note in types.notes)
    assert outcome.naming[0].summary.startswith("putative cell type by CellExplorer's criterion: 3 narrow interneuron")


def test_they_are_replaced_when_another_model_is_asked_for_vectors(recording):
    embed_file(recording, device="cpu")
    embed_file(recording, device="cpu", writing=WriteOptions(name="again"))
    assert read(recording).keys() == {DEFAULT, "again", CRITERION, TYPES}


def test_a_model_that_is_named_speaks_for_itself(recording):
    outcome = embed_file(recording, nwb_neurid.new_model("isi"))
    assert outcome.names == ("neurid_isi", CRITERION)


def test_no_criterion_where_none_is_wanted(recording):
    outcome = embed_file(recording, nwb_neurid.new_model("isi"), criteria="none")
    assert outcome.naming == ()
    with pytest.raises(InvalidOption, match=r"no criterion 'all'\. Choose one of: cellexplorer, bombcell, none"):
        embed_file(recording, nwb_neurid.new_model("isi"), criteria="all", writing=WriteOptions(name="other"))


def test_what_a_criterion_says_of_no_unit_is_printed_and_not_written(plain, tmp_path):
    outcome = embed_file(plain, nwb_neurid.new_model("isi"), writing=WriteOptions(output=tmp_path / "copy.nwb"))
    (naming,) = outcome.naming
    assert naming.summary.endswith("criterion: 8 without (no mean waveform with a known sampling rate)")
    assert not naming.is_worth_keeping
    assert read(tmp_path / "copy.nwb").keys() == {"neurid_isi"}


def test_without_waveforms_nothing_is_named_and_each_unit_has_the_reason(plain, tmp_path):
    outcome = embed_file(plain, device="cpu", writing=WriteOptions(output=tmp_path / "copy.nwb"))
    _, predictions = read(tmp_path / "copy.nwb")[TYPES]
    for each in predictions:
        assert each.abstained.all()
        assert {reason.partition(":")[0] for reason in each.reasons} <= {
            "no waveform",
            "too few spikes",
            "no spikes in observed time",
        }
    assert outcome.names == (DEFAULT, TYPES)


def test_a_name_that_results_beside_have_is_refused(recording):
    before = recording.read_bytes()
    with pytest.raises(InvalidOption, match=r"'neurid_cell_types' is what results beside those of the model are"):
        embed_file(recording, device="cpu", writing=WriteOptions(name=TYPES))
    assert recording.read_bytes() == before


def test_options_of_predictions_are_for_the_model_that_predicts(recording, tmp_path):
    asked = PredictionOptions(label="cell_type", prior="neocortex", coverage=0.9)
    outcome = embed_file(recording, prediction=asked, device="cpu", writing=WriteOptions(output=tmp_path / "copy.nwb"))
    ((types,),) = [each.results.predictions for each in outcome.naming if each.results.name == TYPES]
    assert types.coverage == 0.9
    assert any(
        note.startswith("Probabilities use the class shares of neocortex: 15% GABAergic") for note in types.notes
    )
    wrong = replace(asked, prior="ca1")
    with pytest.raises(InvalidOption, match=r"cell_type, or one of uniform, neocortex, got 'ca1'\."):
        embed_file(recording, prediction=wrong, device="cpu", writing=WriteOptions(output=tmp_path / "other.nwb"))


def test_a_sidecar_holds_them_too(recording, tmp_path):
    for name in ("one", "two"):
        writing = WriteOptions(sidecar=True, name=name, output=tmp_path / "side.nwb")
        outcome = embed_file(recording, device="cpu", writing=writing)
        assert outcome.names == (name, CRITERION, TYPES)
    assert read(tmp_path / "side.nwb").keys() == {"one", "two", CRITERION, TYPES}


def test_columns_of_units_hold_them_too(recording):
    embed_file(recording, device="cpu", writing=WriteOptions(units_columns=True))
    with h5py.File(recording) as file:
        columns = set(file["units"].attrs["colnames"])
    wanted = {"neurid_putative_cell_type", "neurid_cell_type", "neurid_cell_type_probability"}
    assert columns >= {*wanted, "neurid_excitatory_inhibitory"}
    remove(recording, TYPES)
    with h5py.File(recording) as file:
        columns = set(file["units"].attrs["colnames"])
    assert "neurid_cell_type" not in columns
    assert "neurid_putative_cell_type" in columns


def test_a_table_has_them_side_by_side(recording, tmp_path):
    embed_file(recording, device="cpu", writing=WriteOptions(format="csv", output=tmp_path / "units.csv"))
    with (tmp_path / "units.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["putative_cell_type_predicted_label"] == "narrow interneuron"
    assert rows[3]["cell_type_reason"].startswith("no waveform")
    assert "excitatory_inhibitory_probability" in rows[0]


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
    outcome = embed_file(phy, device="cpu", writing=WriteOptions(format="phy"))
    assert outcome.path.name == "cluster_neurid_neurpir.tsv"
    found = {path.name for path in phy.glob("cluster_*.tsv")}
    assert found >= {f"cluster_{CRITERION}_putative_cell_type.tsv", f"cluster_{TYPES}_cell_type.tsv"}
    rows = (phy / f"cluster_{CRITERION}_putative_cell_type.tsv").read_text().splitlines()
    assert rows[:2] == [f"cluster_id\t{CRITERION}_putative_cell_type", "0\tnarrow interneuron"]
    embed_file(phy, device="cpu", writing=WriteOptions(format="phy", name="again"))
    assert (phy / "cluster_neurid_again.tsv").exists()


@pytest.mark.filterwarnings("ignore:.* does not state how long it was recorded")
def test_another_format_gets_a_file_with_all_of_it(phy):
    outcome = embed_file(phy, device="cpu")
    assert read(outcome.path).keys() == {DEFAULT, CRITERION, TYPES}

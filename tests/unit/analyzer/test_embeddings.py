"""`neurid_embeddings`: what it computes, and how it follows the units of an analyzer."""

import re

import numpy as np
import pytest
from pynwb import NWBHDF5IO

import nwb_neurid
from nwb_neurid.errors import (
    CannotEncode,
    InvalidModel,
    InvalidOption,
    NeuridWarning,
    SourceNotFound,
    UntrainedEncoder,
    WrongWeights,
)
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.nwb.standalone import write_recording

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

from nwb_neurid.analyzer import compute_neurid_embeddings  # noqa: E402

# SpikeInterface says so of what is in memory alone.
pytestmark = pytest.mark.filterwarnings("ignore:.*not serializable:UserWarning")

NAME = "neurid_embeddings"


@pytest.fixture(scope="module")
def nuclr():
    return nwb_neurid.new_model("nuclr", preset="small", untrained=True, seed=3, device="cpu")


def saved(folder):
    again = nwb_neurid.load_analyzer(folder)  # its extensions hold it weakly
    return again.get_extension(NAME).embeddings()


def same(some, others):
    assert some.vectors.dtype == np.float32
    for name in ("vectors", "n_windows", "stability", "reasons", "unit_ids"):
        np.testing.assert_array_equal(getattr(some, name), getattr(others, name))


def test_the_vectors_are_those_of_the_nwb_file_of_the_same_spikes(analyzer, tmp_path):
    write_recording(nwb_neurid.read(analyzer), tmp_path / "spikes.nwb")
    expected = nwb_neurid.new_model("isi").embed(nwb_neurid.read(tmp_path / "spikes.nwb"))
    vectors = analyzer.compute(NAME, encoder="isi").get_data()
    assert np.isfinite(vectors).any()
    assert vectors.tobytes() == expected.vectors.tobytes()


def test_so_are_those_of_a_transformer(analyzer, nuclr, tmp_path):
    write_recording(nwb_neurid.read(analyzer), tmp_path / "spikes.nwb")
    expected = nuclr.embed(nwb_neurid.read(tmp_path / "spikes.nwb"))
    vectors = analyzer.compute(NAME, model=nuclr).get_data()
    assert np.isfinite(vectors).any()
    assert vectors.tobytes() == expected.vectors.tobytes()


def test_where_nothing_is_named_it_is_the_model_that_embed_takes(saved_analyzer, tmp_path):
    write_recording(nwb_neurid.read(saved_analyzer), tmp_path / "spikes.nwb")
    expected = embed_file(tmp_path / "spikes.nwb", device="cpu").embeddings
    extension = saved_analyzer.compute(NAME, device="cpu")
    assert extension.get_data().tobytes() == expected.vectors.tobytes()
    assert extension.embeddings().provenance.weights_sha256 == expected.provenance.weights_sha256 != ""
    again = nwb_neurid.load_analyzer(saved_analyzer.folder)
    assert again.get_extension(NAME).params["model"] == "company-spikes"
    merged = again.merge_units([["3", "4"]])
    model = nwb_neurid.load_model("company-spikes", device="cpu")
    same(merged.get_extension(NAME).embeddings(), model.embed(nwb_neurid.read(merged)))


def test_where_it_cannot_embed_a_recording_so_short_another_is_named(make_analyzer, sorting, voltage, tmp_path):
    short = core.create_sorting_analyzer(
        sorting.frame_slice(0, 9 * 30_000),
        voltage.frame_slice(0, 9 * 30_000),
        sparse=False,
        main_channel_indices=np.zeros(6, int),
    )
    words = (
        "Encoder 'company' cannot encode SortingAnalyzer:\n  - it needs 10 s of observed time, the recording has 9 s\n"
        '  Encoders and models that can embed it without training: --encoder isi, in Python encoder="isi".'
    )
    with pytest.raises(CannotEncode, match=re.escape(words)):
        short.compute(NAME)
    write_recording(nwb_neurid.read(short), tmp_path / "spikes.nwb")
    with pytest.raises(CannotEncode, match=re.escape(words.replace("SortingAnalyzer", str(tmp_path / "spikes.nwb")))):
        embed_file(tmp_path / "spikes.nwb")
    assert short.compute(NAME, encoder="isi").get_data().shape[0] == 6


def test_rows_are_in_the_order_of_the_analyzer(analyzer):
    extension = analyzer.compute(NAME, encoder="isi")
    embeddings = extension.embeddings()
    table = extension.get_data(outputs="dataframe")
    assert embeddings.unit_ids.tolist() == analyzer.unit_ids.tolist() == table.index.tolist()
    assert table.loc["0", "reason"] == "no spikes in observed time"
    np.testing.assert_array_equal(
        table[list(embeddings.provenance.dimensions)].to_numpy(np.float32), extension.get_data()
    )
    assert embeddings.provenance.encoder == "isi"
    assert embeddings.provenance.source == "SortingAnalyzer"


def test_the_function_gives_the_vectors(analyzer):
    vectors = compute_neurid_embeddings(analyzer, encoder="isi")
    np.testing.assert_array_equal(vectors, analyzer.get_extension(NAME).get_data())


def test_no_recording_is_needed(make_analyzer):
    made = make_analyzer("binary_folder")
    made.compute(NAME, encoder="isi")
    again = nwb_neurid.load_analyzer(made.folder)
    again._recording = None
    assert not again.has_recording()
    np.testing.assert_array_equal(again.compute(NAME, encoder="isi").get_data(), made.get_extension(NAME).get_data())


def test_parameters_hold_the_hash_of_the_model(saved_analyzer, nuclr, tmp_path):
    folder = nuclr.save(tmp_path / "model")
    for model in (nuclr, folder, str(folder)):
        parameters = saved_analyzer.compute(NAME, model=model, device="cpu").params
        assert parameters["weights_sha256"] == nuclr.weights_sha256 != ""
        assert parameters["encoder"] == "nuclr"
    stored = nwb_neurid.load_analyzer(saved_analyzer.folder).get_extension(NAME).params
    assert stored["weights_sha256"] == nuclr.weights_sha256
    assert stored["model"] == str(folder)


def test_a_bar_is_shown_if_it_is_asked_for(analyzer, capsys):
    analyzer.compute(NAME, encoder="isi", progress_bar=False)
    assert capsys.readouterr().err == ""
    analyzer.compute(NAME, encoder="isi", progress_bar=True, n_jobs=2, chunk_duration="1s")
    assert NAME in capsys.readouterr().err


def test_many_are_computed_with_others(analyzer):
    analyzer.compute({"random_spikes": {}, NAME: {"encoder": "isi"}}, progress_bar=False)
    analyzer.compute(["correlograms", NAME], extension_params={NAME: {"encoder": "isi"}}, progress_bar=False)
    assert analyzer.get_extension(NAME).get_data().shape[0] == 6


def test_selected_units_keep_their_rows_in_the_order_asked_for(each_analyzer):
    vectors = each_analyzer.compute(NAME, encoder="isi").get_data()
    selected = each_analyzer.select_units(["4", "3"])
    np.testing.assert_array_equal(selected.get_extension(NAME).get_data(), vectors[[5, 0]])
    assert selected.get_extension(NAME).embeddings().unit_ids.tolist() == ["4", "3"]
    removed = each_analyzer.remove_units(["3"])
    np.testing.assert_array_equal(removed.get_extension(NAME).get_data(), vectors[1:])


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_merged_units_are_embedded_with_the_spikes_of_both(each_analyzer, mode):
    before = each_analyzer.compute(NAME, encoder="isi")
    merged = each_analyzer.merge_units([["3", "4"]], merging_mode=mode)
    same(merged.get_extension(NAME).embeddings(), nwb_neurid.new_model("isi").embed(nwb_neurid.read(merged)))
    kept = [row for row, unit in enumerate(each_analyzer.unit_ids) if unit not in {"3", "4"}]
    np.testing.assert_array_equal(merged.get_extension(NAME).get_data()[: len(kept)], before.get_data()[kept])


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_split_units_are_embedded_anew(each_analyzer, mode):
    each_analyzer.compute(NAME, encoder="isi")
    spikes = each_analyzer.sorting.count_num_spikes_per_unit()["1"]
    split = each_analyzer.split_units({"1": [np.arange(0, spikes, 2), np.arange(1, spikes, 2)]}, splitting_mode=mode)
    assert len(split.unit_ids) == 7
    same(split.get_extension(NAME).embeddings(), nwb_neurid.new_model("isi").embed(nwb_neurid.read(split)))


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_a_model_that_was_given_as_an_object_is_at_hand_for_merging(analyzer, nuclr, mode):
    analyzer.compute(NAME, model=nuclr)
    merged = analyzer.merge_units([["3", "4"]], merging_mode=mode)
    same(merged.get_extension(NAME).embeddings(), nuclr.embed(nwb_neurid.read(merged)))


def test_without_its_model_a_merged_unit_says_so_and_the_others_stay(saved_analyzer, nuclr):
    before = saved_analyzer.compute(NAME, model=nuclr).get_data()
    again = nwb_neurid.load_analyzer(saved_analyzer.folder)
    with pytest.warns(NeuridWarning, match="units that were merged or split have no results, because the model cannot"):
        merged = again.merge_units([["3", "4"]], new_unit_ids=["7"])
    embeddings = merged.get_extension(NAME).embeddings()
    rows = {unit: row for row, unit in enumerate(embeddings.unit_ids.tolist())}
    assert embeddings.reasons[rows["7"]] == "merged or split after it was embedded, without the model"
    assert np.isnan(embeddings.vectors[rows["7"]]).all()
    np.testing.assert_array_equal(embeddings.vectors[rows["1"]], before[1])


@pytest.mark.parametrize("format", ["memory", "binary_folder", "zarr"])
def test_what_is_saved_elsewhere_is_the_same(each_analyzer, format, tmp_path):
    expected = each_analyzer.compute(NAME, encoder="isi").embeddings()
    where = {} if format == "memory" else {"folder": tmp_path / f"other.{format}"}
    copy = each_analyzer.save_as(format=format, **where)
    same(copy.get_extension(NAME).embeddings(), expected)
    assert copy.get_extension(NAME).embeddings().provenance == expected.provenance
    if format != "memory":
        again = nwb_neurid.load_analyzer(copy.folder)
        same(again.get_extension(NAME).embeddings(), expected)
        assert again.get_extension(NAME).embeddings().provenance == expected.provenance


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        (
            {"modl": "x"},
            InvalidOption,
            "neurid_embeddings has no parameter 'modl'. Its parameters: model, encoder, preset, untrained, seed, "
            "device, pool_groups, weights_sha256. Saved results were not changed.",
        ),
        ({"model": 3}, InvalidOption, "model must be a Model or the folder of one, got int."),
        ({"device": "gpu"}, InvalidOption, "device must be one of auto, cpu, cuda, got 'gpu'."),
        ({"model": "nowhere"}, InvalidModel, "nowhere"),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_a_mistaken_parameter_destroys_nothing(each_analyzer, parameters, error, words, together):
    before = each_analyzer.compute(NAME, encoder="isi")
    each_analyzer.compute("random_spikes")
    asked = ({"random_spikes": {}, NAME: parameters},) if together else (NAME,)
    with pytest.raises(error, match=re.escape(words)):
        each_analyzer.compute(*asked, **({} if together else parameters))
    assert each_analyzer.get_extension(NAME) is before
    if each_analyzer.format != "memory":
        same(saved(each_analyzer.folder), before.embeddings())


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"preset": "small"}, InvalidOption, 'need an encoder: pass one as well, such as encoder="nuclr".'),
        ({"untrained": True}, InvalidOption, 'need an encoder: pass one as well, such as encoder="nuclr".'),
        ({"encoder": "nuclr"}, UntrainedEncoder, "needs a trained model, and none was given"),
        ({"weights_sha256": "0" * 64}, WrongWeights, "Pass the model that these results were computed with."),
        (
            {"model": nwb_neurid.new_model("isi"), "encoder": "nuclr"},
            InvalidOption,
            "was made with encoder 'isi', not 'nuclr'",
        ),
    ],
)
def test_nor_does_a_model_that_cannot_be(each_analyzer, parameters, error, words):
    before = each_analyzer.compute(NAME, encoder="isi").embeddings()
    with pytest.raises(error, match=re.escape(words)):
        each_analyzer.compute(NAME, **parameters)
    same(each_analyzer.get_extension(NAME).embeddings(), before)


def test_nor_does_a_failure_half_way(each_analyzer, monkeypatch):
    before = each_analyzer.compute(NAME, encoder="isi").embeddings()

    def broken(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(nwb_neurid.Model, "embed", broken)
    with pytest.raises(KeyboardInterrupt):
        each_analyzer.compute(NAME, encoder="isi")
    same(each_analyzer.get_extension(NAME).embeddings(), before)
    if each_analyzer.format != "memory":
        same(saved(each_analyzer.folder), before)


def test_a_preview_leaves_the_folder_as_it_was(saved_analyzer, nuclr):
    before = saved_analyzer.compute(NAME, encoder="isi").embeddings()
    preview = nwb_neurid.load_analyzer(saved_analyzer.folder, read_only=True)
    assert preview.compute(NAME, model=nuclr).embeddings().provenance.encoder == "nuclr"
    unsaved = nwb_neurid.load_analyzer(saved_analyzer.folder)
    unsaved.compute(NAME, save=False, model=nuclr)
    same(saved(saved_analyzer.folder), before)


def test_results_can_be_deleted(saved_analyzer):
    saved_analyzer.compute(NAME, encoder="isi")
    saved_analyzer.delete_extension(NAME)
    assert not nwb_neurid.load_analyzer(saved_analyzer.folder).has_extension(NAME)


def test_another_form_of_output_is_refused(analyzer):
    with pytest.raises(InvalidOption, match='outputs must be "numpy" or "dataframe", got \'tensor\''):
        analyzer.compute(NAME, encoder="isi").get_data(outputs="tensor")


def test_an_analyzer_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SourceNotFound, match="nothing does not exist"):
        nwb_neurid.load_analyzer(tmp_path / "nothing")


def test_the_file_written_for_comparison_is_nwb(analyzer, tmp_path):
    write_recording(nwb_neurid.read(analyzer), tmp_path / "spikes.nwb")
    with NWBHDF5IO(tmp_path / "spikes.nwb", "r") as io:
        assert len(io.read().units) == 6

"""Heads are fitted to recordings: what is known of their units is collected, animals are never mistaken for one."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid import Population, fit_labels, new_model
from nwb_neurid.errors import CannotFit, InvalidModel, InvalidOption, NeuridWarning, UntrainedEncoder
from nwb_neurid.labels.fitting import fit_head
from nwb_neurid.population import Spikes


def animal(number, units=16, *, seed=0, **parts):
    """Regular and irregular neurons of one animal, in turn, along a probe."""
    rng = np.random.default_rng([seed, number])
    regular = np.arange(units) % 2 == 0
    trains = [
        np.cumsum(rng.normal(0.1, 0.005, 300).clip(0.01) if even else rng.exponential(0.1, 300)) for even in regular
    ]
    end = max(train[-1] for train in trains) + 1
    places = np.column_stack([np.zeros(units), 20.0 * np.arange(units), np.zeros(units)]).astype(np.float32)
    told = {
        "labels": {"cell_type": np.where(regular, "regular", "irregular")},
        "group": np.full(units, "probe"),
        "positions_um": places,
        "subject_id": f"mouse {number}",
        "session_id": f"day {number}",
        "source": f"animal-{number}.nwb",
    }
    return Population(
        unit_ids=np.arange(units), activity=Spikes.of(trains), observed_s=np.array([[0.0, end]]), **told | parts
    )


@pytest.fixture(scope="module")
def populations():
    """Ten animals."""
    return [animal(number) for number in range(10)]


@pytest.fixture(scope="module")
def model(populations):
    """`isi` with a head for their types."""
    return fit_labels("isi", populations, label="cell_type", scope="neurons of a test")


def test_the_head_names_units_of_other_animals(model):
    new = animal(99)
    found = model.predict(model.embed(new), population=new)
    assert found.label.tolist() == new.labels["cell_type"].tolist()
    assert found.abstained.sum() <= 2
    assert found.scope == "neurons of a test"


def test_a_recording_that_is_named_twice_is_refused(populations):
    with pytest.raises(InvalidOption, match="was given twice"):
        fit_labels("isi", [*populations, populations[0]], label="cell_type", scope="neurons of a test")


def test_the_head_tells_what_it_was_fitted_to(model):
    details = model.heads["cell_type"].details
    assert details["subjects"] == sorted(f"mouse {number}" for number in range(10))
    assert details["sessions"] == sorted(f"day {number}" for number in range(10))
    assert (details["animals"], details["units"], details["recordings"]) == (10, 160, 10)
    assert details["units_of_class"] == {"irregular": 80, "regular": 80}
    assert details["activities"] == ["spikes"]
    assert details["animals_seen_by_encoder"] == 0


def test_a_second_label_joins_the_first(model, populations):
    known = [replace(each, labels={"brain_region": np.where(np.arange(16) < 8, "CA1", "VISp")}) for each in populations]
    both = fit_labels(model, known, label="brain_region")
    assert list(both.heads) == ["cell_type", "brain_region"]
    assert both.heads["brain_region"].calibration.neighbours.shape == (160, 6)
    assert model.heads.keys() == {"cell_type"}
    without = [*known[:9], replace(known[9], positions_um=None)]
    assert fit_labels(model, without, label="brain_region").heads["brain_region"].calibration.neighbours is None


def test_classes_can_be_renamed(populations):
    made = fit_labels("isi", populations, label="cell_type", map={"regular": "clock"})
    assert made.heads["cell_type"].classes.tolist() == ["clock", "irregular"]


def test_several_recordings_of_an_animal_are_one_animal(populations):
    subjects = {each.source: f"mouse {number % 5}" for number, each in enumerate(populations)}
    made = fit_labels("isi", populations, label="cell_type", subjects=subjects)
    assert made.heads["cell_type"].details["animals"] == 5


def test_recordings_without_a_subject_are_never_pooled(populations, tmp_path):
    nameless = [*populations[:3], *(replace(each, subject_id="") for each in populations[3:])]
    message = (
        "7 of 10 recordings do not state their subject (animal-3.nwb, animal-4.nwb, animal-5.nwb, ...), which is "
        "needed to tell animals apart. State it in a table: --subjects table.csv, with the columns source and subject."
    )
    with pytest.raises(InvalidOption) as caught:
        fit_labels("isi", nameless, label="cell_type")
    assert str(caught.value) == message
    table = tmp_path / "subjects.csv"
    table.write_text("source,subject\n" + "".join(f"animal-{n}.nwb,mouse {n}\n" for n in range(3, 10)), "utf-8")
    assert fit_labels("isi", nameless, label="cell_type", subjects=table).heads["cell_type"].details["animals"] == 10


def test_a_label_that_no_recording_has_is_an_error(populations):
    message = r"No recording has the label layer\. Labels of the recordings: cell_type\."
    with pytest.raises(CannotFit, match=message):
        fit_labels("isi", populations[:2], label="layer")
    with pytest.raises(CannotFit, match=r"No recording has the label layer\. Labels of the recordings: none\."):
        fit_labels("isi", [replace(populations[0], labels={})], label="layer")


def test_a_recording_without_the_label_is_left_out_and_told(populations):
    parts = [*populations[:9], replace(populations[9], labels={})]
    with pytest.warns(NeuridWarning, match=r"animal-9\.nwb has no cell_type and is left out\."):
        made = fit_labels("isi", parts, label="cell_type")
    assert made.heads["cell_type"].details["animals"] == 9


def test_an_encoder_that_saw_the_animals_is_told(populations):
    seen = replace(new_model("isi"), details={"subjects": ["mouse 1", "mouse 2", "rat"]})
    with pytest.warns(NeuridWarning, match=r"The encoder was trained on 2 of these 10 subjects, without labels"):
        made = fit_labels(seen, populations, label="cell_type")
    assert made.heads["cell_type"].details["animals_seen_by_encoder"] == 2


def test_an_encoder_that_saw_the_animals_is_told_by_the_names_in_the_files_too(populations):
    seen = replace(new_model("isi"), details={"subjects": ["mouse 1"]})
    table = {"animal-1.nwb": "M1"}
    with pytest.warns(NeuridWarning, match=r"The encoder was trained on 1 of these 10 subjects, without labels"):
        fit_labels(seen, populations, label="cell_type", subjects=table)


def test_excluded_units_take_no_part(populations):
    left_out = [replace(each, excluded={0: "noise", 1: "noise"}) for each in populations]
    assert fit_labels("isi", left_out, label="cell_type").heads["cell_type"].details["units"] == 140


def test_the_card_does_not_speak_of_animals_left_out_where_there_is_one(populations, tmp_path):
    with pytest.warns(NeuridWarning, match="All units are of one subject"):
        alone = fit_labels("isi", populations[:1], label="cell_type")
    card = (alone.save(tmp_path / "model") / "README.md").read_text("utf-8")
    assert "- On held-out units of the one animal: macro F1" in card


def test_what_is_no_model_is_an_error(populations, tmp_path):
    with pytest.raises(InvalidModel, match=r"is not a model folder: it has no model\.json\."):
        fit_labels(tmp_path, populations, label="cell_type")
    with pytest.raises(
        UntrainedEncoder, match=r"Encoder 'nuclr' needs training: pass the folder of a trained model instead"
    ):
        fit_labels("nuclr", populations, label="cell_type")


def test_a_folder_is_a_model(model, populations, tmp_path):
    model.save(tmp_path / "model")
    made = fit_labels(tmp_path / "model", populations[:4], label="cell_type", head="mlp")
    assert made.heads["cell_type"].kind == "mlp"


def test_a_recording_without_units_is_left_out(populations):
    empty = populations[0].select(np.empty(0, np.int64))
    with pytest.warns(NeuridWarning, match=r"animal-0\.nwb has no units and is left out"):
        fitted = fit_labels("isi", [*populations[1:4], empty], label="cell_type")
    assert fitted.heads["cell_type"].details["recordings"] == 3


def test_duplicates_of_one_animal_share_a_fold(monkeypatch):
    given = {}

    def watched(*parts, **options):
        given.update(options)
        return fit_head(*parts, **options)

    monkeypatch.setattr("nwb_neurid.workflows.fit_labels.fit_head", watched)
    one = animal(0, 8)
    trains = [one.spikes.train_s(unit) for unit in range(8)]
    double = replace(one, activity=Spikes.of([*trains[:7], trains[0]]))
    with pytest.warns(NeuridWarning, match="All units are of one subject"):
        fit_labels("isi", [double], label="cell_type")
    assert given["groups"][0] == given["groups"][7]
    assert len(np.unique(given["groups"])) == 7


@pytest.mark.parametrize("options", [{"coverage": 1.0}, {"head": "forest"}])
def test_what_no_head_can_be_is_refused_before_anything_is_read(options):
    with pytest.raises(InvalidOption, match=r"coverage must lie|There is no head"):
        fit_labels("isi", ["nowhere.nwb"], label="cell_type", **options)

import csv
import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

import nwb_neurid
from nwb_neurid.errors import CannotWrite, InvalidOption, UnreadableSource
from nwb_neurid.evaluation.compare import compare

OPTIONS = {"label": "cell_type", "protocol": "transductive-zero-shot", "folds": 2, "baseline": ""}


@pytest.fixture(scope="module")
def found(animals):
    return nwb_neurid.evaluate("isi", animals, **OPTIONS, label_fractions=[0.5, 1.0])


@pytest.fixture
def folder(found, tmp_path):
    return found.save(tmp_path / "scores")


def test_a_folder_holds_scores_predictions_and_figures(folder):
    pictures = ["confusion.png", "label_fractions.png", "reliability.png", "risk.png", "sets.png"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["predictions.csv", "scores.csv", "scores.json", *pictures]
    )
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


def test_the_predictions_give_the_scores(folder, found):
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = json.loads((folder / "scores.json").read_text())
    truth, said = [row["true"] for row in rows], [row["said"] for row in rows]
    assert len(rows) == scores["units"] == 32
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro"), abs=1e-4)
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, said), abs=1e-4)
    assert rows[0].keys() >= {"source", "subject", "unit_id", "prediction_set", "abstained", "reason", "p_fast"}
    holds = np.mean([row["true"] in row["prediction_set"].split() for row in rows])
    assert scores["at_coverage"]["reached"] == pytest.approx(holds, abs=1e-4)
    assert len(found.to_dataframe()) == 32


def test_the_table_has_a_row_for_each_system(folder):
    with (folder / "scores.csv").open() as file:
        systems = [row["system"] for row in csv.DictReader(file)]
    assert systems == ["isi", "rate and duration", "majority", "chance"]


def test_an_evaluation_shows_its_scores(found):
    first, *rows = repr(found).splitlines()
    assert first == "Evaluation('cell_type', transductive-zero-shot, linear head, 2 folds, 32 units tested)"
    assert [row.strip().partition(":")[0] for row in rows] == ["isi", "rate and duration", "majority", "chance"]
    assert rows[0].startswith(f"  isi: macro F1 {found.scores['macro_f1']:.3f}")
    assert "<td>rate and duration</td>" in found._repr_html_()


def test_nothing_is_replaced_unasked(found, folder):
    with pytest.raises(CannotWrite, match="holds an evaluation"):
        found.save(folder)
    found.save(folder, overwrite=True)


def test_what_is_no_evaluation_is_left_alone(found, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("")
    with pytest.raises(CannotWrite, match="holds files that are not an evaluation"):
        found.save(tmp_path / "thesis", overwrite=True)
    with pytest.raises(CannotWrite, match="is a file"):
        found.save(tmp_path / "thesis" / "thesis.tex")


def test_a_failed_write_leaves_no_folder(found, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", refuse)
    with pytest.raises(CannotWrite, match="No space left"):
        found.save(tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


def test_an_evaluation_equals_itself(folder):
    result = compare([folder, folder])
    assert [row.differences.get("macro_f1", ()) for row in result.rows] == [(), (0.0, 0.0, 0.0)]
    assert (result.over, result.units, result.subjects, result.left_out) == ("neurons", 32, 4, 0)


def rewrite(folder, other, change):
    """A copy of an evaluation with changed predictions."""
    other.mkdir()
    (other / "scores.json").write_text((folder / "scores.json").read_text())
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (other / "predictions.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows([{**row, **change(at, row)} for at, row in enumerate(rows)])
    return other


def test_a_worse_one_is_worse_beyond_the_interval(folder, tmp_path):
    worse = rewrite(folder, tmp_path / "worse", lambda *_: {"said": "fast"})
    change, low, high = compare([folder, worse]).rows[1].differences["macro_f1"]
    assert low <= change <= high < 0


def test_with_six_subjects_the_bootstrap_is_over_them(folder, tmp_path):
    more = rewrite(folder, tmp_path / "more", lambda at, _: {"subject": f"mouse{at % 6}"})
    assert compare([more, more]).over == "subjects"


def test_other_units_are_left_out(folder, tmp_path):
    part = rewrite(folder, tmp_path / "part", lambda at, _: {"session": "another"} if at < 8 else {})
    result = compare([folder, part])
    assert (result.units, result.left_out) == (24, 16)


def test_what_cannot_be_compared_is_refused(folder, tmp_path):
    with pytest.raises(InvalidOption, match="two folders or more"):
        compare([folder])
    with pytest.raises(UnreadableSource, match="holds no evaluation"):
        compare([folder, tmp_path])
    disagree = rewrite(folder, tmp_path / "disagree", lambda *_: {"true": "slow"})
    with pytest.raises(InvalidOption, match="disagree on the true class of 16 units"):
        compare([folder, disagree])
    apart = rewrite(folder, tmp_path / "apart", lambda *_: {"session": "another"})
    with pytest.raises(InvalidOption, match="no unit in common"):
        compare([folder, apart])
    scores = json.loads((folder / "scores.json").read_text())
    (apart / "scores.json").write_text(json.dumps({**scores, "label": "brain_region"}))
    with pytest.raises(InvalidOption, match=r"Only evaluations of one label can be compared, got .*: cell_type"):
        compare([folder, apart])
    (apart / "scores.json").write_text("{}")
    with pytest.raises(UnreadableSource, match="not an evaluation of format 1"):
        compare([folder, apart])
    (disagree / "predictions.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnreadableSource, match="not a table of predictions"):
        compare([folder, disagree])


def test_animals_whose_files_have_one_name_are_not_mistaken_for_one(folder, tmp_path):
    alike = rewrite(folder, tmp_path / "alike", lambda *_: {"source": "rec.nwb", "session": ""})
    assert compare([alike, alike]).units == 32


def test_units_that_cannot_be_told_apart_are_refused(folder, tmp_path):
    one = rewrite(folder, tmp_path / "one", lambda *_: {"source": "", "session": "", "subject": "mouse0"})
    with pytest.raises(InvalidOption, match="24 units have the same subject, source, session, row as another unit"):
        compare([one, one])

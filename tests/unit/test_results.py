"""Results: every unit has its row, with a vector or with a reason."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import InvalidResults
from nwb_neurid.results import Embeddings, Predictions, Provenance


@pytest.fixture
def embeddings(make_population):
    """Three units, the second without a vector."""
    return Embeddings.of(
        make_population(units=3),
        np.arange(6.0).reshape(3, 2),
        stability=np.array([0.9, 0.8, np.nan]),
        reasons=["", "silent", ""],
        provenance=Provenance(encoder="isi"),
    )


@pytest.fixture
def predictions():
    """Three units and two classes; the third unit has no vector."""
    return Predictions(
        label_name="cell_type",
        scope="interneurons",
        classes=np.array(["PV", "SST"]),
        unit_ids=np.array([7, 8, 9]),
        label=np.array(["PV", "SST", ""]),
        class_probabilities=np.array([[0.75, 0.25], [0.5, 0.5], [np.nan, np.nan]], np.float32),
        prediction_set=np.array([[True, False], [True, True], [False, False]]),
        abstained=np.array([False, True, True]),
        reasons=np.array(["", "two classes are plausible", "silent"]),
        ood_score=np.array([0.5, 1.5, np.nan], np.float32),
        prevalence=np.array([0.5, 0.5], np.float32),
        coverage=0.9,
    )


def test_a_row_with_a_reason_has_no_vector_and_no_windows(embeddings):
    np.testing.assert_array_equal(embeddings.vectors, [[0, 1], [np.nan, np.nan], [4, 5]])
    np.testing.assert_array_equal(embeddings.n_windows, [1, 0, 1])
    np.testing.assert_array_equal(embeddings.stability, np.array([0.9, np.nan, np.nan], np.float32))
    np.testing.assert_array_equal(embeddings.reasons, ["", "silent", ""])
    assert embeddings.vectors.dtype == np.float32
    assert len(embeddings) == 3


@pytest.mark.parametrize("names", [("a",), ("a", "a"), ("a", "b", "c")])
def test_each_dimension_has_a_name_of_its_own_or_none_has(embeddings, names):
    with pytest.raises(InvalidResults, match="The 2 dimensions of the vectors must have 2 different names"):
        replace(embeddings, provenance=Provenance(dimensions=names))
    assert embeddings.name_dimensions() == ("e0", "e1")


def test_embeddings_show_what_one_wants_to_see(embeddings):
    about = Provenance(
        encoder="isi", training="x" * 5000, window_s=10.0, stitched=True, notes=("a\nb", "c"), source="a.nwb"
    )
    lines = repr(replace(embeddings, provenance=about)).splitlines()
    assert lines[0] == "Embeddings(2 of 3 units, dim 2, 'isi')"
    assert lines[1] == f"  training: {'x' * 99}…"
    assert lines[2:] == [
        "  recording: a.nwb",
        "  windows: 10 s, 1 per unit (median)",
        "  stability: 0.90 (median)",
        "  without a vector: 1 silent",
        "  stitched: windows cross gaps in the observation",
        "  notes: a b c",
    ]


def test_nothing_embedded_shows_too(make_population):
    nothing = Embeddings.of(make_population(units=2), np.ones((2, 5)), reasons=["a: 1", "a: 2"])
    assert repr(nothing).splitlines() == ["Embeddings(0 of 2 units, dim 5, '')", "  without a vector: 2 a"]


def test_predictions_show_what_one_wants_to_see(predictions):
    assert repr(predictions).splitlines() == [
        "Predictions('cell_type', 1 of 3 units labelled)",
        "  among: interneurons",
        "  classes: PV, SST",
        "  labelled: 1 PV",
        "  probability: 0.75 (median of the labelled)",
        "  sets: mean size 1.50, at a coverage of 0.9",
        "  abstained: 1 two classes are plausible, 1 silent",
    ]
    many = replace(
        predictions,
        classes=np.array([f"class {number}" for number in range(300)]),
        class_probabilities=np.full((3, 300), 1 / 300, np.float32),
        prediction_set=np.ones((3, 300), bool),
        prevalence=np.full(300, 1 / 300, np.float32),
        reasons=np.array([f"reason {row}" for row in range(3)]),
    )
    assert len(repr(many).splitlines()) < 20
    assert max(map(len, repr(many).splitlines())) < 130


def test_results_show_as_a_table_in_a_notebook(embeddings, predictions):
    hostile = replace(embeddings, provenance=Provenance(encoder="<script>", notes=("<b>bold</b>",)))
    for shown in (hostile._repr_html_(), predictions._repr_html_()):
        assert "<th>unit_id</th>" in shown
        assert len(shown) < 10_000
    assert "<script>" not in hostile._repr_html_()
    assert "<b>" not in hostile._repr_html_()
    wide = Embeddings(
        vectors=np.zeros((5000, 256), np.float32),
        unit_ids=np.arange(5000),
        n_windows=np.ones(5000, np.int32),
        stability=np.ones(5000, np.float32),
        reasons=np.full(5000, "", "<U1"),
    )
    assert len(wide._repr_html_()) < 20_000


def test_without_reasons_every_unit_has_its_vector(make_population):
    embeddings = Embeddings.of(make_population(units=2), np.ones((2, 5)), n_windows=np.array([3, 4]))
    assert np.all(embeddings.reasons == "")
    assert np.isnan(embeddings.stability).all()
    np.testing.assert_array_equal(embeddings.n_windows, [3, 4])
    assert embeddings.provenance == Provenance()


def test_no_units_are_no_rows(make_population):
    assert Embeddings.of(make_population(units=0), np.empty((0, 4))).vectors.shape == (0, 4)


def test_embeddings_are_a_table(embeddings):
    table = embeddings.to_dataframe()
    assert list(table) == ["unit_id", "n_windows", "stability", "reason", "e0", "e1"]
    np.testing.assert_array_equal(table[["e0", "e1"]], embeddings.vectors)
    assert table["reason"].tolist() == ["", "silent", ""]


def test_embeddings_cannot_be_changed(embeddings):
    for name in ("vectors", "unit_ids", "n_windows", "stability", "reasons"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(embeddings, name)[...] = 0


@pytest.mark.parametrize(
    ("vector", "reason"),
    [([np.nan, np.nan], ""), ([1, np.nan], ""), ([1, np.inf], ""), ([1, np.nan], "silent"), ([1, 2], "silent")],
)
def test_a_row_is_a_vector_or_a_reason(embeddings, vector, reason):
    vectors = np.array([[0, 1], vector, [4, 5]], np.float32)
    message = r"A vector must be finite, or NaN throughout with a reason; rows \[1\] \(1 in all\) are neither\."
    with pytest.raises(InvalidResults, match=message):
        replace(embeddings, vectors=vectors, reasons=np.array(["", reason, ""]))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", ["vectors", "n_windows", "stability", "reasons"])
def test_embeddings_have_a_row_for_each_unit(embeddings, name):
    message = rf"{name} must have one row for each of 3 units, got 2\."
    with pytest.raises(InvalidResults, match=message):
        replace(embeddings, **{name: getattr(embeddings, name)[:2]})


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("name", "part"),
    [("vectors", np.ones((1, 2))), ("n_windows", np.ones(2)), ("stability", np.ones(4)), ("reasons", ["silent"])],
)
def test_embeddings_are_made_of_a_row_for_each_unit(make_population, name, part):
    message = rf"{name} must have one row for each of 3 units, got {len(part)}\."
    with pytest.raises(InvalidResults, match=message):
        Embeddings.of(make_population(units=3), **{"vectors": np.ones((3, 2)), name: part})


def test_the_probability_is_that_of_the_label(predictions):
    np.testing.assert_array_equal(predictions.probability, np.array([0.75, 0.5, np.nan], np.float32))
    assert len(predictions) == 3


def test_predictions_are_a_table(predictions):
    table = predictions.to_dataframe()
    assert table["predicted_label"].tolist() == ["PV", "SST", ""]
    assert table["prediction_set"].tolist() == ["PV", "PV|SST", ""]
    assert table["unit_id"].tolist() == [7, 8, 9]
    assert table["abstained"].tolist() == [False, True, True]
    np.testing.assert_array_equal(table[["p_PV", "p_SST"]], predictions.class_probabilities)


def test_probabilities_of_a_unit_sum_to_one(predictions):
    wrong = np.array([[0.75, 0.25], [0.5, 0.4], [np.nan, np.nan]], np.float32)
    with pytest.raises(InvalidResults, match=r"The class probabilities of a unit must sum to 1\."):
        replace(predictions, class_probabilities=wrong)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0, np.inf])
def test_coverage_is_a_share(predictions, coverage):
    with pytest.raises(InvalidResults, match=r"coverage must lie between 0 and 1, got "):
        replace(predictions, coverage=coverage)


def test_coverage_may_be_unknown(predictions):
    assert "coverage" not in repr(replace(predictions, coverage=np.nan))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", ["class_probabilities", "prediction_set"])
def test_predictions_have_a_column_for_each_class(predictions, name):
    message = rf"{name} must have one column for each of 2 classes, got shape \(3, 1\)\."
    with pytest.raises(InvalidResults, match=message):
        replace(predictions, **{name: getattr(predictions, name)[:, :1]})


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("name", ["label", "class_probabilities", "prediction_set", "abstained", "ood_score"])
def test_predictions_have_a_row_for_each_unit(predictions, name):
    message = rf"{name} must have one row for each of 3 units, got 2\."
    with pytest.raises(InvalidResults, match=message):
        replace(predictions, **{name: getattr(predictions, name)[:2]})

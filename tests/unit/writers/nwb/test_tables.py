"""Results as objects of a file, and back, without a file."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption, InvalidResults
from nwb_neurid.results import Provenance
from nwb_neurid.writers.nwb.parsing import parse_results
from nwb_neurid.writers.nwb.tables import MOST_CLASSES, describe_results


def columns(found):
    return {column.name: column for column in found.columns}


def test_there_and_back(embeddings, predictions, assert_same_results):
    region = replace(predictions, label_name="brain_region", scope="")
    back, both = parse_results(describe_results("x", embeddings, [predictions, region]))
    assert_same_results(back, embeddings)
    assert_same_results(both[0], predictions)
    assert_same_results(both[1], region)


def test_what_is_unknown_throughout_is_left_out(cell_embeddings, embeddings, predictions, assert_same_results):
    _, table = describe_results("x", cell_embeddings, [])
    assert list(columns(table)) == ["embedding", "reason"]
    assert_same_results(parse_results(describe_results("x", cell_embeddings, []))[0], cell_embeddings)

    nothing = np.full((6, 3), np.nan, np.float32)
    bare = replace(
        predictions,
        class_probabilities=nothing,
        prediction_set=nothing > 0,
        ood_score=nothing[:, 0],
        label=np.full(6, ""),
    )
    objects = describe_results("x", embeddings, [bare])
    assert list(columns(objects[2])) == ["predicted_label", "abstained", "reason"]
    assert_same_results(parse_results(objects)[1][0], bare)


def test_empty_attributes_are_left_out(cell_embeddings):
    model, _ = describe_results("x", cell_embeddings, [])
    assert model.attributes == {"encoder": "isi", "encoder_version": "2", "window_s": 0.0, "stitched": False}


def test_the_prediction_set_lists_classes(embeddings, predictions):
    column = columns(describe_results("x", embeddings, [predictions])[2])["prediction_set"]
    lists = [part.tolist() for part in np.split(column.values, column.ends[:-1])]
    assert lists == [["Pvalb"], ["Sst"], [], ["Pvalb", "Sst", "Vip"], ["Vip"], ["Vip"]]


def test_descriptions_say_what_must_be_known(embeddings, untrained, predictions):
    plain = describe_results("x", embeddings, [predictions])
    assert plain[1].description == "A vector of 16 dimensions for each of 6 neurons, by encoder nuclr 0.1.0."
    assert plain[2].description == (
        "Predicted cell_type among opto-tagged interneurons of mouse V1, from vectors by encoder nuclr 0.1.0."
    )
    warned = describe_results("x", untrained, [replace(predictions, provenance=untrained.provenance)])
    for found in warned:
        assert "The encoder is untrained: its weights are random." in found.description
        assert "Windows of 10 s were stitched together" in found.description
        assert "not comparable with published ones" in found.description
    assert not any("untrained" in found.description or "stitched" in found.description for found in plain)


def test_a_later_version_may_have_stored_more(embeddings):
    model, table = describe_results("x", embeddings, [])
    later = replace(model, attributes={**model.attributes, "from_the_future": "yes"})
    assert parse_results([later, table])[0].provenance == embeddings.provenance


def test_a_table_without_its_model_can_be_read(embeddings):
    assert parse_results(describe_results("x", embeddings, [])[1:])[0].provenance == Provenance()


@pytest.mark.parametrize(("units", "dim"), [(0, 4), (4, 0)])
def test_nothing_to_write(embeddings, units, dim):
    empty = replace(
        embeddings,
        vectors=np.zeros((units, dim), np.float32),
        unit_ids=np.arange(units),
        n_windows=np.ones(units, np.int32),
        stability=np.zeros(units, np.float32),
        reasons=np.full(units, ""),
    )
    with pytest.raises(InvalidResults, match=f"nothing to write: {units} units with vectors of {dim} dimensions"):
        describe_results("x", empty, [])


def test_the_encoder_has_a_name(embeddings):
    with pytest.raises(InvalidResults, match=r"must name the encoder, as that of vectors from Model\.embed does"):
        describe_results("x", replace(embeddings, provenance=Provenance()), [])


def test_predictions_belong_to_the_embeddings(embeddings, predictions):
    for change, message in (
        ({"unit_ids": predictions.unit_ids + 1}, "'cell_type' must have the same units as the embeddings"),
        ({"provenance": Provenance(encoder="other")}, "'cell_type' must have the provenance of the embeddings"),
        ({"classes": np.array(["a", "b", "a"])}, "must have classes of different names, got"),
    ):
        with pytest.raises(InvalidResults, match=message):
            describe_results("x", embeddings, [replace(predictions, **change)])
    with pytest.raises(InvalidResults, match="once, got two predictions of cell_type"):
        describe_results("x", embeddings, [predictions, predictions])


def test_too_many_classes(embeddings, predictions):
    many = MOST_CLASSES + 1
    crowd = replace(
        predictions,
        classes=np.arange(many).astype(str),
        class_probabilities=np.full((6, many), 1 / many, np.float32),
        prediction_set=np.zeros((6, many), bool),
        prevalence=np.full(many, 1 / many, np.float32),
    )
    with pytest.raises(InvalidResults, match="have 4001 classes; an NWB file can hold 4000"):
        describe_results("x", embeddings, [crowd])


def test_a_config_that_is_no_json_is_refused(embeddings):
    odd = replace(embeddings, provenance=replace(embeddings.provenance, config={"size": b"3"}))
    with pytest.raises(InvalidResults, match="must be plain JSON"):
        describe_results("x", odd, [])


def test_odd_names_are_refused(embeddings, predictions):
    with pytest.raises(InvalidOption, match="'a/b'"):
        describe_results("a/b", embeddings, [])
    with pytest.raises(InvalidOption, match="'cell:type'"):
        describe_results("a", embeddings, [replace(predictions, label_name="cell:type")])

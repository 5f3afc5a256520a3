"""Objects of a file as plain values: names, equality, and the plain form."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption, InvalidResults
from nwb_neurid.writers.nwb.objects import (
    EMBEDDINGS,
    MODEL,
    PREDICTIONS,
    TABLE,
    Column,
    NwbObject,
    are_same,
    are_same_values,
    check_text,
    fold,
    make_text,
    name_object,
    unfold,
)


@pytest.fixture
def table():
    values = Column(name="embedding", description="Vector.", values=np.array([[1, np.nan]], np.float32))
    lists = Column(name="prediction_set", description="Classes.", values=make_text(["a", "b"]), ends=np.array([2]))
    return NwbObject(
        name="x_embeddings",
        neurodata_type=EMBEDDINGS,
        description="Vectors.",
        attributes={"flag": True, "share": 0.1, "names": ("a", "é")},
        columns=(values, lists),
        unit_ids=np.array([7]),
    )


@pytest.fixture
def model():
    attributes = {"encoder": "isi", "window_s": 10.0, "notes": ("one", "two")}
    return NwbObject(name="x_model", neurodata_type=MODEL, description="A model.", attributes=attributes)


def test_names_of_objects():
    assert name_object("neurid_isi", MODEL) == "neurid_isi_model"
    assert name_object("run-2.1", EMBEDDINGS) == "run-2.1_embeddings"
    assert name_object("小鼠", PREDICTIONS, "कोशिका") == "小鼠_predictions_कोशिका"


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a b", "_a", ".", "..", "-a", "a\\b", "a\n", "a\0"])
def test_odd_names_are_refused(name):
    rule = "must consist of letters, digits, '_', '-' and '.', and begin with a letter or a digit"
    with pytest.raises(InvalidOption, match=rule):
        name_object(name, MODEL)
    with pytest.raises(InvalidOption, match=rule):
        name_object("fine", PREDICTIONS, name)


@pytest.mark.parametrize("bad", ["a\0b", "\ud800"])
@pytest.mark.parametrize("place", ["description", "attribute", "column"])
def test_text_that_hdf5_would_damage_is_refused(table, bad, place):
    changes = {
        "description": {"description": bad},
        "attribute": {"attributes": {"names": ("a", bad)}},
        "column": {"columns": (Column(name="reason", description="Why.", values=make_text(["", bad])),)},
    }
    with pytest.raises(InvalidResults, match=r"x_embeddings: .* holds a character that NWB cannot store"):
        check_text(replace(table, **changes[place]))
    check_text(table)


def test_same_means_same_to_the_bit(table):
    assert are_same(table, replace(table, unit_ids=np.array([7], np.int16)))
    for change in (
        {"name": "y"},
        {"neurodata_type": PREDICTIONS},
        {"description": "Others."},
        {"attributes": {}},
        {"columns": table.columns[:1]},
        {"columns": (replace(table.columns[0], values=np.array([[1, 2]], np.float32)), table.columns[1])},
        {"columns": (table.columns[0], replace(table.columns[1], ends=np.array([1])))},
        {"columns": (table.columns[0], replace(table.columns[1], description="Other classes."))},
        {"unit_ids": np.array([8])},
        {"unit_ids": None},
    ):
        assert not are_same(table, replace(table, **change)), change


def test_same_values():
    assert are_same_values(np.array([np.nan, 1]), np.array([np.nan, 1]))
    assert not are_same_values(np.array([0.1]), np.array([np.nextafter(0.1, 1)]))
    assert are_same_values(make_text(["a"]), np.array(["a"]))
    assert not are_same_values(np.array(["1"]), np.array([1]))
    assert not are_same_values(np.array([1]), np.array([1, 1]))


def test_plain_tables_hold_the_same(table, model):
    (plain,) = fold([model, table])
    assert plain.neurodata_type == TABLE
    assert plain.attributes == {}
    assert plain.description.startswith("Vectors.\n")
    assert all(map(are_same, unfold(plain), [model, table]))


@pytest.mark.parametrize(
    "last",
    [
        "{",
        "{}",
        "[1]",
        '{"type": "NeuronEmbeddings"}',
        '{"type": "NeuronEmbeddings", "attributes": 1}',
        '{"type": "Others", "attributes": {}}',
        '{"type": "NeuronEmbeddings", "attributes": {}, "models": [{}]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_line_is_refused(table, last):
    damaged = replace(table, neurodata_type=TABLE, description=f"Vectors.\nndx-neurid {last}")
    with pytest.raises(InvalidResults, match="x_embeddings: "):
        unfold(damaged)


def test_the_size_counts_numbers_text_and_attributes(table):
    larger = replace(table.columns[0], values=np.zeros((1000, 512), np.float32))
    assert replace(table, columns=(larger, table.columns[1])).size_bytes - table.size_bytes == (1000 * 512 - 2) * 4
    longer = replace(table.columns[1], values=make_text(["a" * 10_000]))
    assert replace(table, columns=(longer,)).size_bytes > 10_000

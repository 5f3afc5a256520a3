"""A DynamicTable by columns: whatever does not fit its rows is refused with the place named."""

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.vocabulary import UNKNOWN


@pytest.fixture
def table(opening):
    """A table of three rows with one more column, called `column` where it has no other name."""

    def table(values=None, **columns):
        columns = {"id": [5, 5, 9], "column": values, **columns}
        return Table(opening({f"units/{name}": values for name, values in columns.items()}).group("units"))

    return table


def refusal(call, *arguments):
    with pytest.raises(InvalidSource) as refused:
        call(*arguments)
    return str(refused.value)


def test_rows_are_counted_by_their_ids(table):
    units = table()
    assert len(units) == 3
    assert units.ids().tolist() == [5, 5, 9]


def test_a_table_without_ids_is_refused(table):
    units = table(id=None, column=[1, 2])
    assert refusal(len, units) == f"{units.where} has no column id. Validate the file."


def test_columns_are_listed_without_indices_of_ragged_ones(table):
    units = table([1, 2, 3], ragged=[1, 2], ragged_index=[1, 2, 2], cluster_index=[0, 1, 2])
    assert units.names() == ["cluster_index", "column", "ragged"]
    assert units.is_ragged("ragged")
    assert not units.is_ragged("column")


@pytest.mark.parametrize("values", [[1.5, 2, 3], [[1.5], [2], [3]], np.float32([1.5, 2, 3])])
def test_numbers_come_as_one_for_each_row(table, values):
    np.testing.assert_array_equal(table(values).numbers("column"), [1.5, 2, 3])


@pytest.mark.parametrize("values", [[1, 2], [1, 2, 3, 4], [[1, 2]] * 3, 1, np.zeros((3, 0))])
def test_numbers_that_fit_no_rows_are_refused(table, values):
    units = table(values)
    shape = np.shape(values)
    assert refusal(units.numbers, "column") == (
        f"{units.where}/column must have one element for each of 3 rows, its shape is {shape}. Validate the file."
    )


@pytest.mark.parametrize(
    "values", [["a", "b", "c"], np.zeros(3, [("x", "f8")]), np.zeros(3, complex), np.zeros(3, "V4")]
)
def test_what_is_no_number_is_refused(table, values):
    units = table(values)
    assert refusal(units.numbers, "column") == f"{units.where}/column must hold numbers. Validate the file."


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i8", "f4", "f8"])
def test_whole_numbers_come_however_they_are_stored(table, dtype):
    assert table(np.array([0, 1, 100], dtype)).integers("column").tolist() == [0, 1, 100]


def test_whole_numbers_keep_every_digit(table):
    values = np.array([2**62 + 1, -(2**62) - 1, 850264748])
    np.testing.assert_array_equal(table(values).integers("column"), values, strict=True)


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 1e300])
def test_numbers_that_are_not_whole_are_refused(table, value):
    units = table([1.0, 2.0, value])
    assert refusal(units.integers, "column") == f"{units.where}/column must hold whole numbers. Validate the file."


def test_nan_may_stand_for_a_missing_number(table):
    units = table([1.0, np.nan, 3.0])
    assert units.integers("column", missing=-1).tolist() == [1, -1, 3]


@pytest.mark.parametrize(
    "values",
    [
        ["a", "é", "c"],
        [["a"], ["é"], ["c"]],
        np.array([text.encode() for text in ("a", "é", "c")]),
        {"data": [b"a", "é".encode(), b"c"], "dtype": h5py.string_dtype("utf-8", 5)},
    ],
)
def test_texts_come_however_they_are_stored(table, values):
    assert table(values).texts("column").tolist() == ["a", "é", "c"]


@pytest.mark.parametrize("dtype", [h5py.string_dtype(), "S4"])
def test_bytes_that_are_no_text_are_replaced(table, dtype):
    assert table({"data": [b"a", b"\xff", b"c"], "dtype": dtype}).texts("column").tolist() == ["a", "\ufffd", "c"]


def test_texts_that_fit_no_rows_are_refused(table):
    units = table(["a", "b"])
    assert units.is_text("column")
    assert refusal(units.texts, "column") == (
        f"{units.where}/column must have one element for each of 3 rows, its shape is (2,). Validate the file."
    )


def test_numbers_are_no_texts(table):
    units = table([1, 2, 3])
    assert refusal(units.texts, "column") == f"{units.where}/column must hold text. Validate the file."


def test_a_missing_column_is_refused(table):
    units = table()
    assert refusal(units.texts, "column") == f"{units.where} has no column column. Validate the file."


@pytest.mark.parametrize("values", ["one text", [["a", "b"]] * 3, [1, 2, 3], None])
def test_only_one_text_a_row_makes_a_column_of_text(table, values):
    assert not table(values).is_text("column")


def test_a_ragged_column_is_no_column_of_text(table):
    assert not table(["a", "b", "c"], column_index=[1, 2, 3]).is_text("column")


@pytest.mark.parametrize("text", sorted({*UNKNOWN, "Unknown", "ROOT", " none ", "NaN", "\t"}))
def test_what_says_that_nothing_is_known_is_no_label(table, text):
    assert table(["CA1", text, " CA3 "]).labels("column").tolist() == ["CA1", "", "CA3"]


@pytest.mark.parametrize("dtype", ["u1", "u4", "i8", "f8"])
def test_ragged_rows_are_split_at_their_ends(table, dtype):
    units = table([1, 2, 3, 4], column_index=np.array([2, 2, 4], dtype))
    splits = units.splits("column")
    assert splits.tolist() == [0, 2, 2, 4]
    assert splits.dtype == np.int64


def test_ends_stored_in_a_byte_do_not_wrap(table):
    units = table(np.zeros(250), column_index=np.array([200, 225, 250], np.uint8))
    assert np.diff(units.splits("column")).tolist() == [200, 25, 25]


def test_rows_of_a_plain_column_have_one_element(table):
    assert table([7, 8, 9]).splits("column").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("ends", "largest"), [([2, 1, 4], 4), ([2, 4, 5], 5), ([-1, 2, 4], 4), ([4, 3, 2], 4), ([1, 2, 3], 3)]
)
def test_ends_that_do_not_ascend_within_the_elements_are_refused(table, ends, largest):
    units = table([1, 2, 3, 4], column_index=ends)
    assert refusal(units.splits, "column") == (
        f"{units.where}/column_index must increase from 0 to the 4 elements of column, but its largest value is "
        f"{largest} and its last {ends[-1]}: the values may have overflowed their type. Validate the file."
    )


@pytest.mark.parametrize("ends", [[2, 4], [1, 2, 3, 4]])
def test_ends_of_more_or_fewer_rows_are_refused(table, ends):
    units = table([1, 2, 3, 4], column_index=ends)
    assert refusal(units.splits, "column") == (
        f"{units.where}/column_index must have one element for each of 3 rows, its shape is ({len(ends)},). Validate "
        "the file."
    )


def test_a_plain_column_of_another_length_has_no_splits(table):
    units = table([1, 2, 3, 4])
    assert refusal(units.splits, "column") == f"{units.where}/column must have 3 rows, it has 4. Validate the file."

"""Conditions on columns: what they select, and a clear line for whatever they are not."""

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.errors import InvalidOption
from nwb_neurid.readers.condition import EXAMPLE, rows_where
from nwb_neurid.readers.nwb.table import Table


@pytest.fixture
def units(opening):
    """Three units with columns of every kind."""
    columns = {
        "id": [1, 2, 3],
        "quality": ["good", "mua", " good "],
        "snr": [1.0, np.nan, 5.0],
        "amps.npy": [[1], [60], [70]],
        "ok": [True, False, True],
        "waveform": np.zeros((3, 4)),
        "tags": ["a", "b", "c", "d"],
        "tags_index": [1, 2, 4],
        "short": [1.0, 2.0],
    }
    return Table(opening({f"units/{name}": values for name, values in columns.items()}).group("units"))


def refusal(units, condition):
    with pytest.raises(InvalidOption) as refused:
        rows_where(condition, units, "--where")
    return str(refused.value)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ('quality == "good"', [1, 0, 1]),
        ('"good" == quality', [1, 0, 1]),
        ("quality != 'good'", [0, 1, 0]),
        ('quality == "good" and snr > 2', [0, 0, 1]),
        ("quality == 'mua' or snr > 2", [0, 1, 1]),
        ("quality in ['mua', 'noise']", [0, 1, 0]),
        ("quality not in ('mua',)", [1, 0, 1]),
        ("id in {1, 2}", [1, 1, 0]),
        ("snr != 1", [0, 1, 1]),
        ("snr == 5.0", [0, 0, 1]),
        ("not (snr > 2)", [1, 1, 0]),
        ("2 < snr <= 5", [0, 0, 1]),
        ("snr > -1", [1, 0, 1]),
        ("id < snr", [0, 0, 1]),
        ("ok", [1, 0, 1]),
        ("not ok", [0, 1, 0]),
        ("snr", [1, 0, 1]),
        ("ok == True and id >= 2", [0, 0, 1]),
        ("`amps.npy` > 50", [0, 1, 1]),
        ("`amps.npy` > 50 and `quality` == '`'", [0, 0, 0]),
        (" id == 1\n", [1, 0, 0]),
        ("id < 1000000000000000000000000000000", [1, 1, 1]),
        ("1 == 1", [1, 1, 1]),
    ],
)
def test_conditions_select_rows(units, condition, rows):
    assert rows_where(condition, units, "--where").astype(int).tolist() == rows


@pytest.mark.parametrize(
    "condition", ["", "snr > 2; 1", "quality == 'good", "`snr > 2", "snr >", "x\0", "not " * 100_000]
)
def test_what_does_not_parse_is_no_condition(units, condition):
    assert refusal(units, condition) == (
        f"--where {condition!r} is not a valid condition. A valid one is, for example, {EXAMPLE}."
    )


@pytest.mark.parametrize("name", ["snrr", "waveform", "tags", "short", "`tags_index`", "`no such`", "`it's`"])
def test_columns_that_are_not_there_are_named(units, name):
    assert refusal(units, f"{name} > 2") == (
        f"--where {f'{name} > 2'!r}: {units.where} has no column {name.strip('`')} with one value per row. It has: id, "
        "amps.npy, ok, quality, snr."
    )


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        ("snr + 1 > 2", "snr + 1"),
        ("quality & snr", "quality & snr"),
        ("__import__('os').system('x')", "__import__('os').system('x')"),
        ("snr is None", "snr is None"),
        ("snr == None", "None"),
        ("snr == 1j", "1j"),
        ("quality == f'{snr}'", "f'{snr}'"),
        ("quality.upper() == 'X'", "quality.upper()"),
        ("(ok := 1)", "(ok := 1)"),
        ("lambda: 1", "lambda: 1"),
        ("[snr for snr in id]", "[snr for snr in id]"),
        ("quality[0] == 'g'", "quality[0]"),
        ("snr < 10 ** 9", "10 ** 9"),
        ("snr in quality", "quality"),
        ("snr in []", "[]"),
        ("snr in [1, 'a']", "[1, 'a']"),
        ("snr in [id]", "[id]"),
        ("True", "True"),
        ("`amps.npy` + 1 > 2", "`amps.npy` + 1"),
    ],
)
def test_nothing_else_of_python_is_known(units, condition, part):
    assert refusal(units, condition) == (
        f"--where {condition!r}: {part} is not allowed in a condition. Use comparisons, and, or, not, in, names of "
        f"columns and constants, such as {EXAMPLE}."
    )


@pytest.mark.parametrize(
    ("condition", "left", "right"),
    [
        ("quality > 3", "quality", "3"),
        ("snr == 'high'", "snr", "'high'"),
        ("quality == snr", "quality", "snr"),
        ("quality in [1, 2]", "quality", "[1, 2]"),
        ("`amps.npy` == 'x'", "`amps.npy`", "'x'"),
    ],
)
def test_text_and_numbers_are_not_compared(units, condition, left, right):
    assert refusal(units, condition) == (
        f"--where {condition!r}: {left} and {right} are text and a number, which cannot be compared. Write text in "
        "quotes, and numbers without."
    )


def test_text_has_no_order(units):
    assert refusal(units, "quality > 'a'") == (
        "--where \"quality > 'a'\": text cannot be ordered. Compare it with ==, !=, in or not in."
    )


def test_text_alone_is_no_condition(units):
    assert refusal(units, "ok and quality") == (
        "--where 'ok and quality': quality is text, not a condition. Compare it with another text."
    )


SIGNS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
ATOMS = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(list(SIGNS)), st.integers(-3, 3))


@given(
    atoms=st.lists(ATOMS, min_size=1, max_size=4),
    joins=st.lists(st.sampled_from(["and", "or"]), min_size=3, max_size=3),
)
def test_conditions_agree_with_python(hdf5_session, atoms, joins):
    import h5py

    from nwb_neurid.readers.nwb.hdf5 import Hdf5Group

    values = np.random.default_rng(len(atoms)).integers(-3, 4, (2, 20))
    path = hdf5_session[0]({"t/id": np.arange(20), "t/a": values[0], "t/b": values[1]})
    text, expected = "", np.zeros(20, bool)
    for number, (column, sign, constant) in enumerate(atoms):
        own = SIGNS[sign](values["ab".index(column)], constant)
        if number == 0:
            text, expected = f"{column} {sign} {constant}", own
        else:
            join = joins[number - 1]
            text = f"({text}) {join} {column} {sign} {constant}"
            expected = expected & own if join == "and" else expected | own
    with h5py.File(path) as file:
        np.testing.assert_array_equal(rows_where(text, Table(Hdf5Group(file, "f").group("t")), "--where"), expected)

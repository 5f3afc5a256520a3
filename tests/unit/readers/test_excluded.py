"""Time that the user leaves out is no observed time, whatever the format."""

import re

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import InvalidOption
from nwb_neurid.readers.excluded import parse_excluded

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not state how long it was recorded:nwb_neurid.errors.NeuridWarning"
)
TRAIN = np.arange(0.5, 10.0)


def read(exclude, **options):
    return nwb_neurid.read({"a": TRAIN, "b": TRAIN + 0.25}, exclude=exclude, **options)


@pytest.mark.parametrize(
    ("text", "intervals"),
    [
        ("2:4", [[2, 4]]),
        (" 7.5: 8 ,1e0:2", [[7.5, 8], [1, 2]]),
        (":3,9:", [[-np.inf, 3], [9, np.inf]]),
    ],
)
def test_intervals_are_parsed(text, intervals):
    assert parse_excluded(text).tolist() == intervals


@pytest.mark.parametrize("text", ["3", "4:2", "2:2", "a:b", "1:2,", "nan:3", "1:2:3", "times.txt"])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(InvalidOption, match=r"--exclude must be START:STOP in seconds, such as 600:900,3200:4300"):
        read(text)


def test_spikes_of_that_time_are_left_out():
    population = read("2:4,8.6:")
    assert population.spikes.train_s(0).tolist() == [0.5, 1.5, 4.5, 5.5, 6.5, 7.5, 8.5]
    assert population.observed_s.tolist() == [[0.5, 2.0], [4.0, 8.6]]
    assert read("2:4", start_s=1.0, duration_s=3.0).observed_s.tolist() == [[1.0, 2.0], [4.0, 6.0]]


@pytest.mark.parametrize(("name", "between"), [("laser.csv", ","), ("laser.tsv", "\t")])
def test_a_table_of_intervals_is_read(tmp_path, name, between):
    rows = [["power", "start_time", "stop_time"], ["5", "2", "4"], ["1", "8.6", "20"]]
    (tmp_path / name).write_text("\n".join(between.join(row) for row in rows))
    assert parse_excluded(str(tmp_path / name)).tolist() == [[2, 4], [8.6, 20]]
    assert read(str(tmp_path / name)).observed_s.tolist() == [[0.5, 2.0], [4.0, 8.6]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("begin,stop\n1,2\n", "must have the columns start_time and stop_time, in seconds, got begin,stop"),
        ("start,stop\n1,2\n3,2\n", "that end after they start, row 3 has '3' and '2'"),
        ("start,stop\n1,x\n", "that end after they start, row 2 has '1' and 'x'"),
        ("start,stop\n1\n", "must have 2 columns, row 2 has 1"),
        ("", "The table of intervals"),
    ],
)
def test_a_table_that_holds_none_is_refused(tmp_path, text, words):
    path = tmp_path / "laser.csv"
    path.write_text(text)
    with pytest.raises(InvalidOption, match=re.escape(words)):
        read(str(path))


def test_a_table_that_is_not_there_is_refused():
    with pytest.raises(InvalidOption, match=r"The table of intervals missing\.csv cannot be read"):
        read("missing.csv")


def test_something_must_be_left():
    with pytest.raises(InvalidOption, match=r"--exclude :20 leaves nothing of .*, which was observed from 0\.5 to"):
        read(":20")
    assert read("30:40").observed_s.tolist() == nwb_neurid.read({"a": TRAIN, "b": TRAIN + 0.25}).observed_s.tolist()

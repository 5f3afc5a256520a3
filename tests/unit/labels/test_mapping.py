"""Classes under new names, and subjects for recordings that name none."""

from functools import partial

import numpy as np
import pytest

from nwb_neurid import evaluate, fit_labels
from nwb_neurid.errors import InvalidOption, NeuridWarning
from nwb_neurid.labels.mapping import NAMES, check_table, check_unambiguous, find_subject, map_labels, read_pairs

LABELS = np.array(["CA1", "CA3", "VISp", "root", "", "Unknown", "MRN"])


@pytest.fixture
def table(tmp_path):
    """Writes a table and gives its path."""

    def write(text):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_what_means_unknown_is_never_a_class():
    assert map_labels(LABELS, None).tolist() == ["CA1", "CA3", "VISp", "", "", "", "MRN"]
    assert map_labels(LABELS[:0], None).tolist() == []


def test_classes_are_grouped_and_what_is_not_listed_stays(table):
    path = table("old,new\nCA1,HPF\nCA3, HPF\nMRN,\nroot,HPF\n")
    assert map_labels(LABELS, path).tolist() == ["HPF", "HPF", "VISp", "", "", "", ""]
    assert map_labels(LABELS, {"VISp": "root"}).tolist() == ["CA1", "CA3", "", "", "", "", "MRN"]


def test_a_star_stands_for_the_rest(table):
    assert map_labels(LABELS, table("old,new\nCA1,HPF\n*,\n")).tolist() == ["HPF", "", "", "", "", "", ""]
    assert map_labels(LABELS, {"*": "brain"}).tolist() == ["brain"] * 3 + [""] * 3 + ["brain"]


def test_a_table_of_a_spreadsheet_is_read(table):
    assert read_pairs(table(b'\xef\xbb\xbfold,new\r\n"a, b",\xc2\xb5\r\n\r\nc,d\r\n'), NAMES) == {"a, b": "µ", "c": "d"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", r"table\.csv must begin with the line old,new, got nothing\."),
        ("from,to\na,b\n", r"table\.csv must begin with the line old,new, got from,to\."),
        ("old,new\na\n", r"table\.csv must have two columns, row 2 has 1\."),
        ("old,new\na,b\na,c\n", r"table\.csv gives two new names for a: b and c\."),
        (b"\xff\xfe\x00", r"table\.csv is not a csv table: "),
        ("old,new\nLGd,TH\n", r"table\.csv matches none of the classes in the data \(CA1, CA3, MRN, VISp\)\."),
    ],
)
def test_a_table_that_cannot_be_is_an_error(table, text, wanted):
    with pytest.raises(InvalidOption, match=wanted):
        map_labels(LABELS, table(text))


def test_a_table_that_cannot_be_read_is_told_before_recordings_are_read(tmp_path):
    for how in (None, {"CA1": "HPF"}, "beryl"):
        check_table(how)
    for run in (fit_labels, partial(evaluate, protocol="transductive")):
        with pytest.raises(InvalidOption, match=r"none\.csv cannot be read"):
            run("isi", [tmp_path / "not_read.nwb"], label="brain_region", map=tmp_path / "none.csv")


def test_a_table_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InvalidOption, match=r"none\.csv cannot be read: No such file or directory\."):
        map_labels(LABELS, tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("atlas", "wanted"),
    [("beryl", ["CA1", "VISp", "LGd", "", ""]), ("cosmos", ["HPF", "Isocortex", "TH", "", ""])],
)
def test_acronyms_of_the_allen_ccf_are_grouped(atlas, wanted):
    pytest.importorskip("iblatlas.regions", reason="atlases need nwb-neurid[atlas]")
    with pytest.warns(
        NeuridWarning,
        match=r"Not acronyms of the Allen CCF, so these regions count as unknown: left "
        r"bit \(1 in all\)\.",
    ):
        found = map_labels(np.array(["CA1", "VISp5", "LGd-co", "root", "left bit"]), atlas)
    assert found.tolist() == wanted


def test_without_its_library_an_atlas_is_an_error(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "iblatlas.regions", None)
    message = r"--map beryl looks regions up in iblatlas\. Install it: pip install iblatlas"
    with pytest.raises(InvalidOption, match=message):
        map_labels(LABELS, "beryl")


def test_a_recording_is_found_in_the_table_by_path_or_name():
    table = {"b/one.nwb": "Anna", "one.nwb": "Bert"}
    assert find_subject("b/one.nwb", "stated", table) == "Anna"
    assert find_subject("c/one.nwb", "stated", table) == "Bert"
    assert find_subject("two.nwb", "stated", table) == "stated"


def test_blanks_around_a_name_are_no_part_of_it():
    assert map_labels(np.array([" PV", "PV ", "unknown ", " "]), None).tolist() == ["PV", "PV", "", ""]


def test_a_file_name_that_two_files_share_names_neither():
    paths = ["a/rec.nwb", "b/rec.nwb"]
    with pytest.raises(InvalidOption, match=r"rec\.nwb may be any of 2 files: a/rec\.nwb, b/rec\.nwb\. Give"):
        check_unambiguous(paths, {"rec.nwb": "A"})
    check_unambiguous(paths, {"rec.nwb": "A", "b/rec.nwb": "B"})

import pytest

from nwb_neurid.readers.labels import labels_of


def known(columns):
    return {name: values.tolist() for name, values in labels_of(columns).items()}


def test_text_is_a_label_and_numbers_are_none():
    assert known({"quality": ["good", "mua"], "depth": [1, 2.5], "place": [(1, 2), None]}) == {
        "quality": ["good", "mua"]
    }


@pytest.mark.parametrize("unknown", ["", " ", "unknown", "NaN", "root", "N/A", None, float("nan"), 3])
def test_what_is_not_known_is_empty(unknown):
    assert known({"quality": [" good ", unknown]}) == {"quality": ["good", ""]}


def test_a_column_that_knows_nothing_is_left_out():
    assert known({"quality": ["", "unknown"]}) == {}


@pytest.mark.parametrize("theirs", ["brain_area", "region", "location", "structure_acronym"])
def test_regions_have_one_name_beside_their_own(theirs):
    assert known({theirs: ["CA1", ""]}) == {theirs: ["CA1", ""], "brain_region": ["CA1", ""]}


def test_a_column_with_our_name_goes_before_others():
    columns = {"location": ["left", "right"], "brain_region": ["CA1", "CA3"], "putative_cell_type": ["PV", ""]}
    assert known(columns) == {**columns, "cell_type": ["PV", ""]}


def test_what_we_predicted_is_not_known():
    assert known({"neurid_label": ["PV", "SST"]}) == {}

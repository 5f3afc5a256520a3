import pytest

from nwb_neurid.readers.labels import find_labels


def known(columns):
    return {name: values.tolist() for name, values in find_labels(columns).items()}


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


def test_numbers_are_no_labels_but_where_a_column_names_its_label():
    columns = {
        "main_channel_id": ["12", "3.0", ""],
        "depth": ["1e3", "unknown", "2"],
        "mixed": ["1", "two", "3"],
        "region": ["17", "18", "17"],
    }
    found = find_labels(columns)
    assert found.keys() == {"mixed", "region", "brain_region"}


@pytest.mark.parametrize("name", ["CellType", "Cell type", "cell-type", "putativeCellType", "Neuron_Type"])
def test_names_of_columns_are_known_in_any_spelling(name):
    assert find_labels({name: ["PV"]})["cell_type"].tolist() == ["PV"]


@pytest.mark.parametrize("name", ["peak_channel_id", "cluster_uuid", "global_ids", "Channel", "main_electrode", "id"])
def test_what_tells_units_apart_is_no_label(name):
    assert find_labels({name: ["AP1", "AP5"]}) == {}


@pytest.mark.parametrize("name", ["cell_name", "channelrhodopsin", "identity", "KSLabel"])
def test_other_names_of_columns_are_those_of_labels(name):
    assert list(find_labels({name: ["a", "b"]})) == [name]

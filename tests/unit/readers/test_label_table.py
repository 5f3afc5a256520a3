"""A table of labels names units by their ids or rows, and says what they are."""

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import InvalidOption, NeuridWarning
from nwb_neurid.population import Population, Spikes
from nwb_neurid.readers.label_table import add_labels

TABLE = "unit_id,cell_type,layer,note\n12,PV,4,\n10,SST,unknown,tagged\n"


@pytest.fixture
def population():
    return Population(
        unit_ids=np.array([10, 11, 12]),
        activity=Spikes.of([np.array([0.5, 1.0]), np.array([1.5]), np.array([0.2])]),
        observed_s=np.array([[0.0, 2.0]]),
        labels={"cell_type": np.array(["", "VIP", "pyramidal"])},
        source="a/rec.nwb",
    )


@pytest.fixture
def table(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def test_what_the_table_knows_goes_before_the_recording(population, table):
    kept = r"table.csv has no cell_type for 1 of 3 units of a/rec.nwb, which keep the label that the recording has\."
    with pytest.warns(NeuridWarning, match=kept):
        labels = add_labels(population, table(TABLE), "a/rec.nwb").labels
    assert {name: values.tolist() for name, values in labels.items()} == {
        "cell_type": ["SST", "VIP", "PV"],
        "layer": ["", "", "4"],
        "note": ["tagged", "", ""],
    }


def test_columns_have_their_usual_names_too(population, table):
    labels = add_labels(population, table("row\tRegion\n2\tCA1\n", "table.tsv"), "a/rec.nwb").labels
    assert labels["brain_region"].tolist() == labels["Region"].tolist() == ["", "", "CA1"]


def test_rows_of_other_recordings_do_not_count(population, table):
    text = "source,unit_id,kind\nrec.nwb,10,mine\na/rec.nwb,11,too\nb/rec.nwb,99,other\n"
    assert add_labels(population, table(text), "a/rec.nwb").labels["kind"].tolist() == ["mine", "too", ""]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", r"table\.csv is empty"),
        ("cell_type\nPV\n", r"must have a column unit_id, cluster_id, id or row .*, got cell_type\."),
        ("unit_id\n10\n", r"a column for each label, got unit_id\."),
        ("unit_id,a,a\n10,x,y\n", r"must have each column only once, got 'a' in unit_id,a,a\."),
        ("unit_id,a\n10\n", r"must have 2 columns, row 2 has 1\."),
        (
            "unit_id,a\n99,x\n",
            r"lists units that a/rec\.nwb does not have, by unit_id: 99\. The recording has 3 units: 10,",
        ),
        ("row,a\n3,x\n", r"lists units that a/rec\.nwb does not have, by row: 3\."),
        ("unit_id,a\n10,x\n10,y\n", r"lists unit 10 twice, in rows 2 and 3\."),
    ],
)
def test_a_table_that_cannot_be_meant_is_an_error(population, table, text, wanted):
    with pytest.raises(InvalidOption, match=wanted):
        add_labels(population, table(text), "a/rec.nwb")


def test_ids_that_repeat_name_no_unit(population, table):
    twice = Population(unit_ids=np.array([1, 1, 2]), activity=population.activity, observed_s=population.observed_s)
    with pytest.raises(InvalidOption, match="has several units called 1: identify units by row"):
        add_labels(twice, table("unit_id,a\n1,x\n"), "rec.nwb")
    assert add_labels(twice, table("unit_id,a\n2,x\n"), "rec.nwb").labels["a"].tolist() == ["", "", "x"]


def test_a_table_that_is_not_there_is_an_error(population, tmp_path):
    with pytest.raises(InvalidOption, match=r"The table of labels .*none\.csv cannot be read: No such file"):
        add_labels(population, tmp_path / "none.csv", "rec.nwb")


def test_arrays_take_a_table_too(table):
    trains = [np.array([0.1, 0.2]), np.array([0.3])]
    read = nwb_neurid.read(trains, start_s=0.0, stop_s=1.0, labels=table("row,kind\n1,tagged\n"))
    assert read.labels["kind"].tolist() == ["", "tagged"]

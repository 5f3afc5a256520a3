"""Where results go, and what is refused before anything is read."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, InvalidOption
from nwb_neurid.writers.nwb.standalone import write_recording
from nwb_neurid.writers.options import WriteOptions
from nwb_neurid.writers.outputs import choose_output, name_output

WANTED = WriteOptions(name="neurid_isi")


@pytest.fixture
def source(make_population, tmp_path):
    write_recording(make_population(), tmp_path / "a.nwb")
    return tmp_path / "a.nwb"


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("folder/a.b.nwb", "csv", "a.b.x.csv"),
        ("folder/plane0", "parquet", "plane0.x.parquet"),
        ("trains.plx", "csv", "trains.plx.x.csv"),
        ("https://host/a/b.nwb?token=1", "csv", "b.x.csv"),
    ],
)
def test_tables_are_named_after_source_and_results(source, kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.b.nwb").touch()
    assert name_output(source, kind=kind, name="x") == name


def test_a_name_that_no_results_can_have(source):
    with pytest.raises(InvalidOption, match="The name 'a/b' cannot be used"):
        choose_output(source, replace(WANTED, name="a/b", format="csv"))


def test_an_unknown_format_lists_the_known_ones(source):
    with pytest.raises(InvalidOption, match=r"no format 'xlsx' of results\. Choose one of: nwb, csv, parquet, phy\."):
        choose_output(source, replace(WANTED, format="xlsx"))


def test_a_file_is_not_given_the_ending_of_another_format(source, tmp_path):
    for kind, ending in (("nwb", "csv"), ("csv", "parquet")):
        words = rf"ends in \.{ending}, but the format is {kind}: add --format {ending}, or name another file\."
        with pytest.raises(InvalidOption, match=words):
            choose_output(source, replace(WANTED, output=tmp_path / f"x.{ending}", format=kind))


@pytest.mark.parametrize("option", [{"sidecar": True}, {"units_columns": True}])
def test_options_of_nwb_files_are_refused_elsewhere(source, option):
    with pytest.raises(InvalidOption, match=r"apply to NWB files only: leave them out, or --format csv\."):
        choose_output(source, replace(WANTED, **option, format="csv"))


def test_the_source_itself_is_never_the_place_of_a_table(source):
    with pytest.raises(CannotWrite, match=r"a\.nwb is the source itself, which would be lost\. Choose another"):
        choose_output(source, replace(WANTED, output=source, overwrite=True, format="csv"))


def test_a_table_that_exists_is_refused_before_anything_is_read(source):
    source.with_name("a.neurid_isi.csv").touch()
    with pytest.raises(CannotWrite, match=r"a\.neurid_isi\.csv exists\. Replace it"):
        choose_output(source, replace(WANTED, format="csv"))


def test_columns_of_phy_have_no_other_place(tmp_path):
    for name in ("spike_times.npy", "spike_clusters.npy"):
        np.save(tmp_path / name, np.arange(4))
    with pytest.raises(InvalidOption, match="writes into the folder of the source itself: leave out --output"):
        choose_output(tmp_path, replace(WANTED, output=tmp_path / "x", format="phy"))
    (tmp_path / "cluster_neurid_isi.tsv").touch()
    with pytest.raises(CannotWrite, match=r"cluster_neurid_isi\.tsv exists\. .* or choose another name \(--name\)"):
        choose_output(tmp_path, replace(WANTED, format="phy"))


def test_units_of_no_table_get_no_results_into_a_file(source, make_population):
    output = choose_output(source, WANTED)
    with pytest.raises(CannotWrite, match=r"a\.nwb has no NWB table with its units as rows"):
        output.check(make_population())
    output.check(replace(make_population(), tables=("/units",)))

"""The report on files: which recording and which results it finds, where it goes, and what it refuses."""

import json
import re

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import CannotWrite, InvalidResults, NoResults, SourceNotFound
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.workflows.report import check_page, name_report, report_outcome, write_report
from nwb_neurid.writers.options import WriteOptions


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return write_nwb(simulate(8, 20.0, 1), tmp_path_factory.mktemp("source") / "recording.nwb")


@pytest.fixture
def recording(simulated, tmp_path):
    copy = tmp_path / "recording.nwb"
    copy.write_bytes(simulated.read_bytes())
    return copy


def embed(recording, **writing):
    return embed_file(recording, nwb_neurid.new_model("isi"), writing=WriteOptions(**writing))


def facts_of(page):
    text = page.read_text("utf-8")
    return json.loads(re.search(r'id="facts">(.*?)</script>', text, re.DOTALL).group(1))


def test_the_report_lies_beside_its_recording(recording):
    embed(recording)
    page = write_report(recording)
    assert page == recording.with_name("recording.report.html")
    facts = facts_of(page)
    assert facts["name"] == "neurid_isi"
    assert len(facts["ids"]) == 8
    assert {text["name"] for text in facts["texts"]} >= {"cell_type"}


def test_one_recording_is_one_page_byte_for_byte(recording):
    embed(recording)
    first = write_report(recording).read_bytes()
    assert write_report(recording, overwrite=True).read_bytes() == first


@pytest.mark.parametrize("asked", ["recording", "sidecar"])
def test_a_sidecar_finds_its_recording_and_the_other_way_round(recording, asked):
    sidecar = embed(recording, sidecar=True).path
    page = write_report(recording if asked == "recording" else sidecar)
    assert len(facts_of(page)["activity"]["raster"]["splits"]["data"]) > 0


def test_a_sidecar_that_was_moved_away_says_what_it_needs(recording, tmp_path):
    sidecar = embed(recording, sidecar=True).path
    recording.unlink()
    with pytest.raises(
        NoResults,
        match=r"was not found\. Pass the recording instead of .*, or put it beside that file as "
        r"recording\.nwb",
    ):
        write_report(sidecar)


def test_of_several_results_the_longest_vectors_are_shown_and_all_predictions(recording):
    embed(recording)
    vectors, about = np.random.default_rng(0).normal(size=(8, 2)), nwb_neurid.Provenance(encoder="short")
    short = nwb_neurid.Embeddings.of(nwb_neurid.read(recording), vectors, provenance=about)
    nwb_neurid.write(recording, short, name="a_first")
    assert facts_of(write_report(recording))["name"] == "neurid_isi"
    assert facts_of(write_report(recording, name="a_first", overwrite=True))["name"] == "a_first"


def test_columns_of_phy_alone_have_no_vectors_to_show(tmp_path):
    (tmp_path / "cluster_neurid_isi.tsv").write_text("cluster_id\tneurid_isi\n")
    with pytest.raises(NoResults, match=r"has results as columns of phy only.* embed .* --report"):
        write_report(tmp_path)


def test_the_report_of_embed_is_that_of_the_file(recording):
    outcome = embed(recording)
    page = report_outcome(outcome, recording.with_name("own.html"))
    assert facts_of(page)["ids"] == facts_of(write_report(recording))["ids"]


def test_an_existing_file_is_not_replaced_unasked(recording):
    embed(recording)
    page = write_report(recording)
    with pytest.raises(CannotWrite, match=r"recording\.report\.html exists"):
        write_report(recording)
    with pytest.raises(CannotWrite, match=r"recording\.report\.html exists"):
        check_page(recording, WriteOptions())
    assert check_page(recording, WriteOptions(overwrite=True)) == page


def test_what_is_missing_is_named(recording, tmp_path):
    with pytest.raises(SourceNotFound, match=r"none\.nwb does not exist"):
        write_report(tmp_path / "none.nwb")
    with pytest.raises(NoResults, match="holds no results"):
        write_report(recording)
    embed(recording)
    with pytest.raises(NoResults, match="other"):
        write_report(recording, name="other")


def test_results_of_another_recording_are_refused(recording, tmp_path):
    sidecar = embed(recording, sidecar=True).path
    write_nwb(simulate(3, 20.0, 2), recording, overwrite=True)
    with pytest.raises(InvalidResults, match=r"on 8 units, which are not among the 3 units of"):
        write_report(sidecar)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/recording.nwb", "a/recording.report.html"),
        ("a/recording.neurid.nwb", "a/recording.report.html"),
        ("a/recording.nwb.zarr", "a/recording.report.html"),
        ("a/folder", "a/folder.report.html"),
        ("https://example.org/x/recording.nwb", "recording.report.html"),
    ],
)
def test_reports_are_called_after_their_source(source, name):
    assert name_report(source).as_posix() == name


def test_the_report_goes_where_the_results_go(tmp_path):
    out = WriteOptions(output=tmp_path / "copy.nwb")
    assert check_page("a/recording.nwb", out) == tmp_path / "copy.report.html"
    assert check_page("a/recording.nwb", WriteOptions(output=tmp_path)) == tmp_path / "recording.report.html"


def test_units_without_a_waveform_say_why_they_have_no_type(recording):
    """Which no file holds: `embed --report` and `report` show the same."""
    outcome = embed(recording)
    facts = facts_of(write_report(recording))
    (found,) = facts["predictions"]
    assert found["predicted"] == "predicted putative_cell_type"
    assert "no mean waveform with a known sampling rate" in json.dumps(facts["texts"])
    other = facts_of(report_outcome(outcome, recording.with_name("other.html")))
    assert other["predictions"] == facts["predictions"]

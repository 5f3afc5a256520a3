"""The main job on what is not an NWB file of units."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pynwb
import pytest

import nwb_neurid
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import CannotWrite, InvalidOption
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.nwb.standalone import write_recording
from nwb_neurid.writers.options import WriteOptions
from nwb_neurid.writers.outputs import name_output


def test_a_kilosort_folder_gets_a_file_of_its_own(run, kilosort, tmp_path):
    said = run("embed", "--encoder", "isi", kilosort, "--rate-hz", 1000).stdout
    made = tmp_path / "sorted.neurid.nwb"
    assert f"{made}: 3 of 3 units embedded" in said
    assert not pynwb.validate(path=made)
    counts = nwb_neurid.read(made).spikes.counts()
    assert counts.tolist() == np.bincount(np.load(kilosort / "spike_clusters.npy")).tolist()
    refused = run("embed", "--encoder", "isi", kilosort, "--rate-hz", 1000, code=2).stderr
    assert "sorted.neurid.nwb exists. Replace it (--overwrite)" in refused
    run("embed", "--encoder", "isi", kilosort, "--rate-hz", 1000, "--overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sorted", "sorted.neurid.nwb"]


def test_phy_gets_a_column_in_its_folder(run, kilosort):
    before = {path.name: path.read_bytes() for path in kilosort.iterdir()}
    words = ["embed", "--encoder", "isi", kilosort, "--rate-hz", 1000, "--format", "phy"]
    column = kilosort / "cluster_neurid_isi.tsv"
    assert f"{column}: 3 of 3 units embedded" in run(*words).stdout
    assert column.read_text() == "cluster_id\tneurid_isi\n" + "".join(f"{id_}\tembedded\n" for id_ in range(3))
    assert "cluster_neurid_isi.tsv exists. Replace it (--overwrite)" in run(*words, code=2).stderr
    run(*words, "--overwrite")
    column.unlink()
    assert {path.name: path.read_bytes() for path in kilosort.iterdir()} == before


def test_tables_of_several_sources_go_to_a_folder(run, recording, kilosort, tmp_path, sha256):
    before = sha256(recording)
    (tmp_path / "out").mkdir()
    run("embed", "--encoder", "isi", recording, "--format", "csv", "-o", tmp_path / "out")
    run(
        "embed",
        "--encoder",
        "isi",
        kilosort,
        "--rate-hz",
        1000,
        "--format",
        "csv",
        "-o",
        tmp_path / "out",
        "--name",
        "mine",
    )
    names = ["recording.neurid_isi.csv", "sorted.mine.csv"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    table = pd.read_csv(tmp_path / "out" / names[0])
    assert table["unit_id"].tolist() == nwb_neurid.read(recording).unit_ids.tolist()
    assert table["cell_type"].tolist() == nwb_neurid.read(recording).labels["cell_type"].tolist()
    assert sha256(recording) == before


def test_a_suite2p_folder_keeps_the_rows_of_what_is_no_cell(run, suite2p, tmp_path):
    words = ["--rate-hz", 10, "--encoder", "nuclr", "--preset", "small-calcium", "--untrained"]
    said = run("embed", suite2p, *words, "-o", tmp_path / "out.nwb").stdout
    assert "4 of 5 units embedded" in said
    assert "not a cell" in said
    with pynwb.NWBHDF5IO(tmp_path / "out.nwb", "r") as io:
        table = io.read().processing["ophys"]["neurid_nuclr_embeddings"]
        assert table["neuron"].table.name == "PlaneSegmentation"
        assert len(table) == 5


def test_what_a_source_left_out_stays_so_in_the_file_that_was_made_of_it(suite2p, make_population, tmp_path):
    made = nwb_neurid.read(suite2p, rate_hz=10.0)
    write_recording(made, tmp_path / "made.nwb")
    assert nwb_neurid.read(tmp_path / "made.nwb").excluded == made.excluded == {4: "not a cell (iscell.npy)"}
    assert nwb_neurid.read(tmp_path / "made.nwb", all_rois=True).excluded == {}
    units = replace(make_population(units=3), excluded={1: "noise"})
    write_recording(units, tmp_path / "units.nwb")
    assert nwb_neurid.read(tmp_path / "units.nwb").excluded == {1: "noise"}
    assert nwb_neurid.read(tmp_path / "units.nwb", where="all").excluded == {}


def test_imaging_in_nwb_is_written_beside_its_rois(suite2p, tmp_path):
    path = tmp_path / "imaging.nwb"
    write_recording(nwb_neurid.read(suite2p, rate_hz=10.0), path)
    model = nwb_neurid.new_model("nuclr", preset="small-calcium", untrained=True)
    assert embed_file(path, model).path == path
    assert not pynwb.validate(path=path)
    (result,) = nwb_neurid.read_results(path)
    assert len(result.embeddings) == 5


def test_a_stretch_of_time(recording):
    whole = nwb_neurid.read(recording)
    part = nwb_neurid.read(recording, start_s=5.0, stop_s=12.0)
    assert part.observed_s.tolist() == [[5.0, 12.0]]
    inside = (whole.spikes.times_s >= 5 - 1e-6) & (whole.spikes.times_s < 12 - 1e-6)
    assert len(part.spikes.times_s) == inside.sum()
    assert nwb_neurid.read(recording, start_s=5.0).duration_s == 25
    with pytest.raises(InvalidOption, match=r"not observed between 40 s and its end\. It was observed from 0 to 30 s"):
        nwb_neurid.read(recording, start_s=40.0)
    with pytest.raises(InvalidOption, match=r"not observed between 40 and 50 s\. It was observed from 0 to 30 s"):
        nwb_neurid.read(recording, start_s=40.0, stop_s=50.0)
    with pytest.raises(InvalidOption, match=r"The start must lie before the stop, got 12 and 5 s for .*\."):
        nwb_neurid.read(recording, start_s=12.0, stop_s=5.0)


def test_the_first_seconds_of_observed_time(recording):
    assert nwb_neurid.read(recording, duration_s=7.0).observed_s.tolist() == [[0.0, 7.0]]
    assert nwb_neurid.read(recording, start_s=5.0, duration_s=7.0).observed_s.tolist() == [[5.0, 12.0]]
    assert nwb_neurid.read(recording, duration_s=700.0).duration_s == 30
    with pytest.raises(InvalidOption, match=r"The duration of .* must be a positive number of seconds, got 0\.0\."):
        nwb_neurid.read(recording, duration_s=0.0)


def test_options_that_a_reader_does_not_know(kilosort):
    message = r"'spikeinterface', which reads .* has no option all_rois\. Its options"
    with pytest.raises(InvalidOption, match=message):
        nwb_neurid.read(kilosort, all_rois=True)
    with pytest.raises(InvalidOption, match=r"Unknown options of reading: rate\. The options are: keep_opto, "):
        nwb_neurid.read(kilosort, rate=1.0)


@pytest.mark.parametrize(
    ("source", "sidecar", "name"),
    [
        ("https://host/a/b.nwb?token=1", False, "b.neurid.nwb"),
        ("dandi://000017/sub/c.nwb", False, "c.neurid.nwb"),
        ("folder/plane0", False, "plane0.neurid.nwb"),
    ],
)
def test_names_of_results(source, sidecar, name):
    assert name_output(source, sidecar=sidecar) == name


def test_a_url_without_a_name_needs_an_output():
    with pytest.raises(InvalidOption, match=r"is not a file, so its results have no default file name.*--output"):
        name_output("https://host/api/assets/1234/download/")


def test_where_a_file_of_its_own_cannot_go(kilosort, tmp_path):
    model = nwb_neurid.new_model("isi")
    options = ReadOptions(rate_hz=1000.0)
    with pytest.raises(CannotWrite, match="is a folder"):
        embed_file(kilosort, model, writing=WriteOptions(output=tmp_path), reading=options)
    with pytest.raises(CannotWrite, match="does not exist"):
        embed_file(kilosort, model, writing=WriteOptions(output=tmp_path / "no" / "out.nwb"), reading=options)

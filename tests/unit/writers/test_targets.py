"""What is no place for results, whatever the format and however it is spelt."""

import os
from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite
from nwb_neurid.writers.nwb.standalone import write_recording
from nwb_neurid.writers.nwb.store import write
from nwb_neurid.writers.options import WriteOptions
from nwb_neurid.writers.outputs import choose_output

OPTIONS = WriteOptions(name="neurid_isi", overwrite=True)


@pytest.fixture
def phy(tmp_path):
    """A folder of phy that keeps every byte."""
    folder = tmp_path / "phy"
    (folder / "inner").mkdir(parents=True)
    for name in ("spike_times.npy", "spike_clusters.npy", "inner/more.npy"):
        np.save(folder / name, np.arange(4))
    before = tree(folder)
    yield folder
    assert tree(folder) == before


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


INSIDE = ["phy/spike_times.npy", "phy/inner/more.npy", "phy/new.csv", "other/../phy/spike_times.npy", "link", "way/new"]


@pytest.mark.parametrize("kind", ["nwb", "csv", "parquet"])
@pytest.mark.parametrize("output", INSIDE)
def test_nothing_inside_a_source_is_a_target(phy, tmp_path, kind, output):
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="parquet needs nwb-neurid[parquet]")
    if output.endswith(".csv") and kind != "csv":
        pytest.skip("refused for its ending")
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(phy / "spike_times.npy")
    (tmp_path / "way").symlink_to(phy)
    said = r"is inside the recording .*phy, which would be changed\. Choose another --output\."
    with pytest.raises(CannotWrite, match=said):
        choose_output(phy, replace(OPTIONS, format=kind, output=tmp_path / output))


def test_nor_is_it_where_the_source_is_a_link(phy, tmp_path):
    (tmp_path / "source").symlink_to(phy)
    with pytest.raises(CannotWrite, match="is inside the recording"):
        choose_output(tmp_path / "source", replace(OPTIONS, format="csv", output=phy / "x.csv"))
    with pytest.raises(CannotWrite, match="is inside the recording"):
        choose_output(phy, replace(OPTIONS, format="csv", output=tmp_path / "source" / "x.csv"))


@pytest.fixture
def recording(make_population, tmp_path):
    write_recording(make_population(), tmp_path / "a.nwb")
    return tmp_path / "a.nwb"


@pytest.mark.parametrize("kind", ["nwb", "csv"])
def test_a_file_of_another_kind_is_not_replaced(recording, tmp_path, kind):
    np.save(tmp_path / "x.npy", np.arange(4))
    said = rf"x\.npy exists and is not a {kind} file, so it is not replaced\. Choose another --output\."
    with pytest.raises(CannotWrite, match=said):
        choose_output(recording, replace(OPTIONS, format=kind, output=tmp_path / "x.npy"))
    (tmp_path / "x.npy").write_bytes(b"")
    choose_output(recording, replace(OPTIONS, format=kind, output=tmp_path / "x.npy"))
    (tmp_path / f"x.{kind}").write_text("old")
    choose_output(recording, replace(OPTIONS, format=kind, output=tmp_path / f"x.{kind}"))


def test_a_file_that_the_recording_links_to_is_not_replaced(recording, tmp_path, embeddings):
    import h5py

    other = tmp_path / "raw.nwb"
    other.write_bytes(recording.read_bytes())
    with h5py.File(recording, "r+") as file:
        file["acquisition/raw"] = h5py.ExternalLink("raw.nwb", "/units")
    with pytest.raises(CannotWrite, match=r"a\.nwb links to .*raw\.nwb, which would be lost\. Choose another --output"):
        write(recording, embeddings, output=other, overwrite=True)


@pytest.mark.parametrize("kind", ["nwb", "csv", "phy"])
def test_a_name_that_is_too_long_is_one_line(phy, kind):
    long = {"output": phy.with_name("x" * 300)} if kind == "nwb" else {"name": "x" * 300}
    with pytest.raises(CannotWrite, match="cannot be written: File name too long"):
        choose_output(phy, replace(OPTIONS, format=kind, **long))


def test_a_name_that_is_too_long_for_a_copy_is_one_line(recording):
    for sidecar in (False, True):
        with pytest.raises(CannotWrite, match="cannot be written: File name too long"):
            choose_output(recording, replace(OPTIONS, output=recording.with_name("x" * 300), sidecar=sidecar))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("kind", ["nwb", "csv"])
def test_a_pipe_is_no_target(recording, phy, tmp_path, kind):
    os.mkfifo(tmp_path / "pipe")
    for source in (recording, phy):
        with pytest.raises(CannotWrite, match="pipe"):
            choose_output(source, replace(OPTIONS, format=kind, output=tmp_path / "pipe"))

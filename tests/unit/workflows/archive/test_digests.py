"""The same recording has the same digest under every name; a changed one has another."""

import os
from dataclasses import replace

import pytest

from nwb_neurid import load_model, new_model
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import SourceNotFound, UnreadableSource
from nwb_neurid.workflows.archive import digests
from nwb_neurid.workflows.archive.digests import (
    describe_reading,
    drop_date,
    is_same_file,
    take_model_digest,
    take_source_digest,
)


def test_a_file_is_known_by_its_content(tmp_path):
    first, copy = tmp_path / "a.nwb", tmp_path / "b.nwb"
    first.write_bytes(b"content")
    copy.write_bytes(b"content")
    os.utime(copy, (1, 1))
    (tmp_path / "link.nwb").symlink_to(first)
    assert len({take_source_digest(str(each)) for each in tmp_path.iterdir()}) == 1
    copy.write_bytes(b"contenu")
    assert take_source_digest(str(copy)) != take_source_digest(str(first))


def test_of_a_large_file_size_date_and_parts_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "WHOLE_BYTES", 100)
    monkeypatch.setattr(digests, "BLOCK_BYTES", 4)
    first, copy = tmp_path / "a.nwb", tmp_path / "b.nwb"
    for path in (first, copy):
        path.write_bytes(b"x" * 5_000)
    os.utime(copy, (1, 1))
    found = [take_source_digest(str(path)) for path in (first, copy)]
    assert found[0] != found[1]
    assert drop_date(found[0]) == drop_date(found[1])
    assert is_same_file(str(first), str(copy))
    copy.write_bytes(b"x" * 2_500 + b"y" + b"x" * 2_499)
    assert not is_same_file(str(first), str(copy))
    assert not is_same_file(str(first), str(tmp_path / "gone.nwb"))


def test_a_folder_is_known_by_its_files(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spike_times.npy").write_bytes(b"times")
    one, two = (str(tmp_path / name) for name in ("one", "two"))
    assert take_source_digest(one) == take_source_digest(two)
    monkeypatch.setattr(digests, "WHOLE_BYTES", 2)  # by size and date then
    os.utime(tmp_path / "two" / "spike_times.npy", (1, 1))
    assert take_source_digest(one) != take_source_digest(two)


def test_what_cannot_be_opened_is_one_line(tmp_path):
    with pytest.raises(SourceNotFound, match="does not exist"):
        take_source_digest(str(tmp_path / "gone.nwb"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.nwb")
    with pytest.raises(UnreadableSource, match="is a device or a pipe"):
        take_source_digest(str(tmp_path / "pipe.nwb"))


def test_models_differ_by_their_training_and_heads():
    isi = new_model("isi")
    found = [None, isi, replace(isi, training="otherwise"), load_model("cell-types", device="cpu")]
    assert len({*map(take_model_digest, found)}) == 4
    assert take_model_digest(isi) == take_model_digest(new_model("isi"))


def test_included_models_differ_by_their_config_too(monkeypatch):
    found = [take_model_digest(None)]
    read = digests.read_description
    for setting in (1, 2):
        monkeypatch.setattr(
            digests, "read_description", lambda path, to=setting: replace(read(path), config={"own": to})
        )
        found.append(take_model_digest(None))
    assert len(set(found)) == 3


def test_a_table_of_labels_counts_by_its_content(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("unit_id,cell_type\n1,PV\n")
    before = describe_reading(ReadOptions(labels=table))
    table.write_text("unit_id,cell_type\n1,SST\n")
    assert describe_reading(ReadOptions(labels=table)) != before
    with pytest.raises(SourceNotFound, match=r"gone\.csv cannot be read"):
        describe_reading(ReadOptions(labels=tmp_path / "gone.csv"))

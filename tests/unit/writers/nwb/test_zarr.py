"""Results in Zarr folders: as those in HDF5, and the folder is as it was or as it should be, whatever happens."""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nwb_neurid.errors import (
    CannotWrite,
    InvalidOption,
    NeuridWarning,
    NoResults,
    ResultsExist,
    SourceChanged,
    SourceNotFound,
    UnreadableSource,
)
from nwb_neurid.readers.zarr import staging
from nwb_neurid.writers.nwb import layout
from nwb_neurid.writers.nwb.standalone import is_nwb
from nwb_neurid.writers.nwb.store import Fingerprint, check_writable, read, remove, write
from nwb_neurid.writers.options import WriteOptions

pytest.importorskip("numcodecs", reason="Zarr needs nwb-neurid[zarr]")

EMBEDDINGS = "processing/ecephys/neurid_nuclr_embeddings"


either = pytest.mark.parametrize("folder", [True, False], indirect=True, ids=["consolidated", "not consolidated"])


@pytest.fixture(scope="module")
def in_zarr(written_by_pynwb, as_zarr, tmp_path_factory):
    """The recording in Zarr, with consolidated metadata."""
    return as_zarr(Path(shutil.copy(written_by_pynwb, tmp_path_factory.mktemp("in_zarr"))))


@pytest.fixture
def folder(request, in_zarr, tmp_path, monkeypatch):
    """A copy of it that a test may write to, alone in its folder. No disk is waited for."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    made = shutil.copytree(in_zarr, tmp_path / "recordings" / "recording.nwb.zarr")
    if not getattr(request, "param", True):
        (made / ".zmetadata").unlink()
    return made


def tree(folder):
    """Every file in a folder, by its path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def names(path):
    return sorted(other.name for other in path.parent.iterdir())


def consolidated(folder):
    """What the consolidated metadata say, and what they should."""
    if not (folder / ".zmetadata").exists():
        return None, None
    told = json.loads((folder / ".zmetadata").read_text())["metadata"]
    files = [path for name in (".zgroup", ".zarray", ".zattrs") for path in folder.rglob(name)]
    return told, {path.relative_to(folder).as_posix(): json.loads(path.read_text()) for path in files}


@either
def test_there_and_back(folder, embeddings, predictions, assert_same_results):
    before = tree(folder)
    assert write(folder, embeddings, [predictions]) == folder
    ((name, back, (part,)),) = read(folder)
    assert name == "neurid_nuclr"
    assert_same_results(back, embeddings)
    assert_same_results(part, predictions)
    assert names(folder) == ["recording.nwb.zarr"]
    after = tree(folder)
    assert {path: after[path] for path in before if path != ".zmetadata"} == {
        path: content for path, content in before.items() if path != ".zmetadata"
    }
    told, there = consolidated(folder)
    assert told == there


def test_large_vectors_come_in_chunks(folder, embeddings, monkeypatch, assert_same_results):
    monkeypatch.setattr(layout, "CHUNK_BYTES", 100)
    write(folder, embeddings)
    assert len(list((folder / EMBEDDINGS / "embedding").glob("[0-9]*"))) > 1
    assert_same_results(read(folder)[0].embeddings, embeddings)


def test_beside_another_extension(folder, embeddings, predictions, assert_same_results):
    shutil.copytree(folder / "specifications" / "core", folder / "specifications" / "ndx-other")
    write(folder, embeddings, [predictions])
    ((_, back, (part,)),) = read(folder)
    assert_same_results(back, embeddings)
    assert_same_results(part, predictions)
    assert json.loads((folder / EMBEDDINGS / ".zattrs").read_text())["neurodata_type"] == "DynamicTable"


def test_on_cells(folder, cells, cell_embeddings, assert_same_results):
    write(folder, cell_embeddings, table=cells)
    assert_same_results(read(folder)[0].embeddings, cell_embeddings)
    assert (folder / "processing" / "ophys" / "neurid_isi_embeddings").is_dir()


@either
def test_results_are_replaced_by_their_name_alone(folder, embeddings, predictions, assert_same_results):
    write(folder, embeddings, [predictions], name="first")
    write(folder, embeddings, [predictions], name="second")
    with pytest.raises(ResultsExist, match="holds results called 'second' already"):
        write(folder, embeddings, name="second")
    other = replace(embeddings, vectors=embeddings.vectors * 2)
    write(folder, other, name="second", overwrite=True)
    first, second = read(folder)
    assert_same_results(first.embeddings, embeddings)
    assert_same_results(second.embeddings, other)
    assert (len(first.predictions), second.predictions) == (1, [])
    told, there = consolidated(folder)
    assert told == there
    assert names(folder) == ["recording.nwb.zarr"]


def test_columns_of_units(folder, embeddings, predictions):
    write(folder, embeddings, [predictions], units_columns=True)
    told = json.loads((folder / "units" / ".zattrs").read_text())["colnames"]
    assert told == ["cell_type", "spike_times", "neurid_cell_type", "neurid_cell_type_probability"]
    write(folder, embeddings, [predictions], units_columns=True, overwrite=True)
    assert json.loads((folder / "units" / ".zattrs").read_text())["colnames"] == told
    write(folder, embeddings, overwrite=True)
    assert json.loads((folder / "units" / ".zattrs").read_text())["colnames"] == told[:2]
    assert not (folder / "units" / "neurid_cell_type").exists()


@either
@pytest.mark.parametrize("units_columns", [False, True])
def test_removed_results_leave_the_folder_as_it_was(folder, embeddings, predictions, units_columns):
    before = tree(folder)
    write(folder, embeddings, [predictions], units_columns=units_columns)
    write(folder, embeddings, name="other")
    assert remove(folder, "neurid_nuclr") == folder
    assert [found.name for found in read(folder)] == ["other"]
    remove(folder, "other")
    assert tree(folder) == before
    assert names(folder) == ["recording.nwb.zarr"]
    with pytest.raises(NoResults, match="holds no results of nwb-neurid"):
        remove(folder, "other")


def test_a_copy(folder, embeddings, tmp_path, assert_same_results):
    before, copy = tree(folder), tmp_path / "copy.nwb.zarr"
    assert write(folder, embeddings, output=copy) == copy
    assert tree(folder) == before
    assert_same_results(read(copy)[0].embeddings, embeddings)
    with pytest.raises(CannotWrite, match=r"copy\.nwb\.zarr exists\. Replace it \(--overwrite\)"):
        write(folder, embeddings, output=copy)
    write(folder, embeddings, name="other", output=copy, overwrite=True)
    assert [found.name for found in read(copy)] == ["other"]
    assert remove(copy, "other", output=tmp_path / "without.zarr") == tmp_path / "without.zarr"
    assert tree(tmp_path / "without.zarr") == before
    assert [found.name for found in read(copy)] == ["other"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("copy.nwb", r"copy\.nwb would be a folder, since the recording is one: its name must end in \.zarr\."),
        ("there.zarr", r"there\.zarr exists and is not NWB in Zarr format 2, so it is not replaced\. Choose another"),
        ("images.zarr", r"images\.zarr exists and is not NWB in Zarr format 2, so it is not replaced\. Choose another"),
        ("recordings/recording.nwb.zarr/copy.zarr", r"are folders, one within the other\. Choose another --output\."),
        ("../all.zarr", r"are folders, one within the other\. Choose another --output\."),
        ("nowhere/copy.zarr", r"the folder .*nowhere does not exist\. Choose another --output"),
    ],
)
def test_copies_that_are_refused(folder, embeddings, tmp_path, output, said):
    (tmp_path / "there.zarr").mkdir()
    (tmp_path / "images.zarr").mkdir()
    (tmp_path / "images.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    if output.startswith("../"):  # a Zarr folder that holds the recording
        outer = shutil.copytree(folder, tmp_path / "all.zarr")
        folder, output = Path(shutil.move(folder, outer / "recordings" / folder.name)), "all.zarr"
    before = tree(folder)
    for call in (
        lambda: check_writable(folder, WriteOptions(name="x", output=tmp_path / output, overwrite=True)),
        lambda: write(folder, embeddings, output=tmp_path / output, overwrite=True),
    ):
        with pytest.raises(CannotWrite, match=said):
            call()
    assert tree(folder) == before


def test_a_sidecar(folder, embeddings, predictions, assert_same_results):
    before = tree(folder)
    path = write(folder, embeddings, [predictions], sidecar=True)
    assert path == folder.with_name("recording.neurid.nwb")
    assert_same_results(read(path)[0].embeddings, embeddings)
    write(folder, embeddings, name="other", sidecar=True)
    assert tree(folder) == before
    with pytest.raises(NoResults, match=r"recording\.neurid\.nwb is its sidecar"):
        read(folder)
    with pytest.raises(InvalidOption, match="--units-columns writes into the recording"):
        write(folder, embeddings, name="third", sidecar=True, units_columns=True)


def test_other_neurons_are_refused(folder, embeddings):
    before = tree(folder)
    with pytest.raises(CannotWrite, match="has other units in /units than the results"):
        write(folder, replace(embeddings, unit_ids=embeddings.unit_ids + 1))
    with pytest.raises(CannotWrite, match=r"has no table 'units/none'"):
        write(folder, embeddings, table="units/none")
    assert tree(folder) == before


def test_folders_that_are_no_zarr(tmp_path, embeddings):
    with pytest.raises(SourceNotFound, match="is a folder, not a file"):
        write(tmp_path, embeddings)
    with pytest.raises(UnreadableSource, match="is a folder, but not in Zarr format 2"):
        read(tmp_path)


def test_a_folder_that_changed_since_it_was_read(folder, embeddings):
    fingerprint = Fingerprint.of(folder)
    (folder / "units" / "id" / "0").write_bytes(b"other")
    with pytest.raises(SourceChanged, match=r"changed after it was read; nothing was written"):
        write(folder, embeddings, expected=fingerprint)
    assert names(folder) == ["recording.nwb.zarr"]


def test_a_folder_that_another_process_writes(folder, embeddings):
    from nwb_neurid._system.lock import alone

    before = tree(folder)
    with alone(folder), pytest.raises(CannotWrite, match=r"is being written by another nwb-neurid \(process \d+"):
        write(folder, embeddings)
    assert tree(folder) == before


def test_what_does_not_read_back_is_not_kept(folder, embeddings, monkeypatch):
    inner, before = layout._dataset, tree(folder)

    def damage(group, name, values):
        return inner(group, name, np.zeros_like(values) if name == "embedding" else values)

    monkeypatch.setattr(layout, "_dataset", damage)
    with pytest.raises(CannotWrite, match=r"was not changed: .* reads back otherwise \(neurid_nuclr_embeddings\)"):
        write(folder, embeddings)
    assert tree(folder) == before
    assert names(folder) == ["recording.nwb.zarr"]


STEPS = ("_swap", "_write_whole")


def stopping(patch, at, stop):
    """Calls `stop` in place of one of the steps that commit changes, and counts them."""
    count = [0]

    def stopped(inner):
        def step(*arguments):
            count[0] += 1
            if count[0] == at + 1:
                stop()
            return inner(*arguments)

        return step

    for name in STEPS:
        patch.setattr(staging, name, stopped(getattr(staging, name)))
    return count


def full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def restore(folder, files):
    shutil.rmtree(folder)
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


@pytest.fixture
def doubled(embeddings):
    """Other results of the same name."""
    return replace(embeddings, vectors=embeddings.vectors * 2)


def test_a_disk_that_fills_at_any_step(folder, embeddings, doubled, predictions, monkeypatch):
    def replace_all():
        write(folder, embeddings, [predictions], overwrite=True, units_columns=True)

    write(folder, doubled, [predictions])
    before = tree(folder)
    with monkeypatch.context() as patch:
        count = stopping(patch, -1, full)
        replace_all()
    assert count[0] > 6
    for at in range(0, count[0], 3):
        restore(folder, before)
        with monkeypatch.context() as patch:
            stopping(patch, at, full)
            with pytest.raises(CannotWrite, match=os.strerror(errno.ENOSPC)):
                replace_all()
        assert tree(folder) == before, at
        assert names(folder) == ["recording.nwb.zarr"]


def killed(at, call):
    """How another process ends that does it, and is killed at one of the steps that commit changes."""
    child = os.fork()
    if child == 0:
        stopping(pytest.MonkeyPatch(), at, lambda: os._exit(9))
        call()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


on_posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


@on_posix
@pytest.mark.parametrize(("way", "every"), [("add", 3), ("replace", 1), ("remove", 3)])
def test_a_killed_process_leaves_the_old_or_the_new(folder, embeddings, doubled, predictions, way, every):
    write(folder, embeddings, name="old")
    if way != "add":
        write(folder, doubled, [predictions], units_columns=True)
    before, codes = tree(folder), []

    def do():
        if way == "remove":
            remove(folder, "neurid_nuclr")
        else:
            write(folder, embeddings, [predictions], overwrite=True, units_columns=True)

    while 0 not in codes:
        codes.append(killed(every * len(codes), do))
        if codes[-1] == 9:
            assert read(folder, "old")  # also before anybody takes it back
            check_writable(folder, WriteOptions(name="third"))  # as any next run begins
            assert tree(folder) == before, len(codes)
        assert names(folder) == ["recording.nwb.zarr"]
    assert codes[:-1] == [9] * (len(codes) - 1)
    assert len(codes) > 3
    assert [found.name for found in read(folder)] == (["old"] if way == "remove" else ["neurid_nuclr", "old"])


@on_posix
@pytest.mark.parametrize("moment", [0, 1, 2])
def test_a_copy_that_was_killed_leaves_the_old_or_the_new(folder, embeddings, tmp_path, moment):
    copy, calls, inner = tmp_path / "copy.zarr", [], Path.rename
    write(folder, embeddings, name="old", output=copy)
    before = tree(copy)

    def rename(path, target):
        if path.parent == target.parent == tmp_path:
            calls.append(target)
            if len(calls) == moment + 1:
                os._exit(9)
        return inner(path, target)

    child = os.fork()
    if child == 0:
        pytest.MonkeyPatch().setattr(Path, "rename", rename)
        write(folder, embeddings, output=copy, overwrite=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (9 if moment < 2 else 0)
    with pytest.raises(CannotWrite, match=r"copy\.zarr exists\. Replace it \(--overwrite\)"):
        write(folder, embeddings, output=copy)  # also where it had not taken its place again
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    if moment < 2:
        assert tree(copy) == before
    else:
        assert [found.name for found in read(copy)] == ["neurid_nuclr"]


@on_posix
def test_another_folder_in_its_place_is_left_alone(folder, embeddings):
    assert killed(3, lambda: write(folder, embeddings)) == 9
    journal = folder.with_name(f".{folder.name}.neurid-staging") / "journal.json"
    journal.write_text(json.dumps({**json.loads(journal.read_text()), "inode": 1}))
    before = tree(folder)
    with pytest.raises(CannotWrite, match="was being changed when nwb-neurid was killed, and is another folder now"):
        write(folder, embeddings)
    assert tree(folder) == before


@on_posix
def test_where_no_locks_are_known_nothing_is_taken_back(folder, embeddings, monkeypatch):
    assert killed(3, lambda: write(folder, embeddings)) == 9
    before, left = tree(folder), folder.with_name(f".{folder.name}.neurid-staging")

    def unsupported(_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("nwb_neurid._system.lock._lock", unsupported)
    with pytest.warns(NeuridWarning, match="knows no locks"), pytest.raises(CannotWrite) as refused:
        write(folder, embeddings)
    assert str(refused.value) == (
        f"{folder} is being written by another nwb-neurid, or one was killed, which this file system cannot tell: "
        f"there is {left}. If none is at work, write once from where locks work, which takes it back."
    )
    assert tree(folder) == before


def test_a_forged_journal_leads_nowhere_else(folder, embeddings):
    others = [folder.with_name(name) for name in ("other.txt", "absolute.txt")]
    for other in others:
        other.write_text("mine")
    left = folder.with_name(f".{folder.name}.neurid-staging")
    left.mkdir()
    changes = [["../other.txt", "new file"], [str(others[1]), "new file"]]
    (left / "journal.json").write_text(json.dumps({"inode": folder.stat().st_ino, "changes": changes}))
    write(folder, embeddings)
    assert [other.read_text() for other in others] == ["mine", "mine"]


def test_only_nwb_is_written_to(folder):
    assert is_nwb(folder)
    (folder / ".zattrs").write_text("{}")
    assert not is_nwb(folder)
    assert not is_nwb(folder.parent)


def test_hdmf_zarr_opens_it(folder, embeddings, predictions):
    hdmf_zarr = pytest.importorskip("hdmf_zarr", reason="hdmf-zarr is not installed")
    pytest.importorskip("hdmf", "5.0", reason="hdmf before 5.0 takes numbers of Zarr attributes for another type")
    import pynwb
    from nwbinspector import inspect_nwbfile_object

    write(folder, embeddings, [predictions], units_columns=True)
    with hdmf_zarr.NWBZarrIO(str(folder), "r") as io:
        nwbfile = io.read()
        module = nwbfile.processing["ecephys"]
        table = module["neurid_nuclr_embeddings"]
        np.testing.assert_array_equal(table["embedding"][:], embeddings.vectors)
        assert table["neuron"].table is nwbfile.units
        assert table.model.name == "neurid_nuclr_model"
        assert list(module["neurid_nuclr_predictions_cell_type"]["predicted_label"][:]) == predictions.label.tolist()
        assert list(module["neurid_nuclr_predictions_cell_type"]["prediction_set"][0]) == ["Pvalb"]
        assert nwbfile.units["neurid_cell_type"][:2].tolist() == ["Pvalb", "Sst"]
        assert nwbfile.units["spike_times"][0].shape == (50,)
        told = [message for message in inspect_nwbfile_object(nwbfile) if "neurid" in f"{message.location}{message}"]
        assert told == []
        assert pynwb.validate(io=io) == []
        assert pynwb.validate(io=io, namespace="ndx-neurid") == []

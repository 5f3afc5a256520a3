"""Without a copy: a file is changed whole, or the next run takes the change back."""

import errno
import os
import shutil
import subprocess
import sys
from collections import namedtuple

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, InvalidOption, ResultsExist, SourceChanged
from nwb_neurid.writers.nwb import in_place as module
from nwb_neurid.writers.nwb import replacement
from nwb_neurid.writers.nwb.in_place import recover
from nwb_neurid.writers.nwb.store import Fingerprint, check_writable, read, write

on_posix = pytest.mark.skipif(os.name == "nt", reason="locks and signals are those of POSIX")
SAVED = "recording.neurid-saved.nwb"


def names(path):
    return sorted(other.name for other in path.parent.iterdir())


def test_the_file_stays_the_same_file(recording, embeddings, predictions, everything, assert_same_results):
    before, inode = everything(recording), recording.stat().st_ino
    assert write(recording, embeddings, [predictions], copy=False) == recording
    after = everything(recording)
    assert {name: after[name] for name in before} == before
    ((_, back, (part,)),) = read(recording)
    assert_same_results(back, embeddings)
    assert_same_results(part, predictions)
    assert recording.stat().st_ino == inode
    assert names(recording) == ["recording.nwb"]


@on_posix
def test_the_names_of_a_file_stay_together(recording, tmp_path, embeddings, unchanged):
    other = tmp_path / "other.nwb"
    other.hardlink_to(recording)
    said = r"recording\.nwb is one file with 2 names \(hard links\).*--no-copy.*--output.*--sidecar"
    with unchanged(recording):
        for refused in (check_writable, lambda path, name: write(path, embeddings, name=name)):
            with pytest.raises(CannotWrite, match=said):
                refused(recording, name="x")
    write(recording, embeddings, copy=False)
    assert other.samefile(recording)
    assert len(read(other)) == 1


def test_options_that_contradict_it(recording, embeddings, tmp_path, unchanged):
    said = "--no-copy writes into the recording itself: leave out --output and --sidecar"
    with unchanged(recording):
        for options in ({"sidecar": True}, {"output": tmp_path / "x.nwb"}):
            with pytest.raises(InvalidOption, match=said):
                write(recording, embeddings, copy=False, **options)


def test_results_that_exist_are_refused(recording, embeddings, unchanged):
    write(recording, embeddings, copy=False)
    with unchanged(recording), pytest.raises(ResultsExist):
        write(recording, embeddings, copy=False)
    write(recording, embeddings, copy=False, overwrite=True)
    assert names(recording) == ["recording.nwb"]


def test_a_file_that_changed_is_refused_before_anything_is_saved(recording, embeddings, unchanged):
    read_as = Fingerprint.of(recording)
    write(recording, embeddings, name="first")
    with unchanged(recording), pytest.raises(SourceChanged, match="changed after it was read"):
        write(recording, embeddings, copy=False, expected=read_as)


def test_a_full_disk_is_noticed_before(recording, unchanged, monkeypatch):
    monkeypatch.setattr(replacement.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(10_000))
    said = r"recording\.nwb cannot be written: the disk needs 0\.3 MB and has 0\.0 MB free\. Make room.*--output"
    with unchanged(recording), pytest.raises(CannotWrite, match=said):
        check_writable(recording, name="x", copy=False)


@pytest.mark.parametrize("step", ["reserve", "_put", "_write"])
def test_a_fault_while_writing_is_taken_back_and_the_results_are_saved(
    recording, embeddings, monkeypatch, step, assert_same_results
):
    before, inner, calls = recording.read_bytes(), getattr(module, step), []

    def fail(*arguments):
        calls.append(step)
        if len(calls) > 1 + (step == "_put"):  # the second part is what the fault interrupted
            return inner(*arguments)
        if step == "_put" and len(calls) == 1:
            return inner(*arguments)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, step, fail)
    said = rf"Nothing was written to .*recording\.nwb: {os.strerror(errno.ENOSPC)}\. The results are in .*{SAVED}\."
    with pytest.raises(CannotWrite, match=said):
        write(recording, embeddings, copy=False)
    assert recording.read_bytes() == before
    assert names(recording) == [SAVED, "recording.nwb"]
    assert_same_results(read(recording.parent / SAVED)[0].embeddings, embeddings)
    monkeypatch.undo()
    write(recording, embeddings, copy=False, name="other")
    assert names(recording) == [SAVED, "recording.nwb"]  # what was saved before is all that is left of it
    write(recording, embeddings, copy=False)
    assert names(recording) == ["recording.nwb"]


HOLD = "import h5py, sys; file = h5py.File(sys.argv[1], 'r'); print('open', flush=True); sys.stdin.read()"


@on_posix
def test_a_file_that_another_program_reads_is_left_alone(recording, embeddings):
    before = recording.read_bytes()
    command = [sys.executable, "-c", HOLD, str(recording)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        said = r"Nothing was written to .*recording\.nwb: it is open in another program; close it there\. The results"
        with pytest.raises(CannotWrite, match=said):
            write(recording, embeddings, copy=False)
        holder.stdin.close()
    assert recording.read_bytes() == before


def test_what_does_not_read_back_is_not_kept(recording, embeddings, monkeypatch):
    from nwb_neurid.writers.nwb import layout

    before, inner = recording.read_bytes(), layout._dataset

    def damage(group, name, values):
        broken = name == "embedding" and "/ecephys/neurid_nuclr" in group.name and "neurons" not in group.parent
        return inner(group, name, np.zeros_like(values) if broken else values)

    monkeypatch.setattr(layout, "_dataset", damage)
    said = r"recording\.nwb was not changed: .* reads back otherwise \(neurid_nuclr_embeddings\)\. The results are in"
    with pytest.raises(CannotWrite, match=said):
        write(recording, embeddings, copy=False)
    assert recording.read_bytes() == before


DIE = """
import os, signal, sys
from pathlib import Path
from nwb_neurid.writers.nwb import in_place
from nwb_neurid.writers.nwb.store import read, write

recording, results, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
stages = iter(["beyond the old end", "inside"])
inner = in_place._put

def put(descriptor, parts):
    if next(stages) == wanted:
        half = len(parts) // 2
        offset, content = parts[half]
        inner(descriptor, [*parts[:half], (offset, content[:512])])
        os.kill(os.getpid(), signal.SIGKILL)
    inner(descriptor, parts)

in_place._put = put
write(recording, read(results)[0].embeddings, copy=False)
"""


@on_posix
@pytest.mark.parametrize("stage", ["beyond the old end", "inside"])
def test_a_killed_process_is_undone_by_the_next(recording, tmp_path, embeddings, stage, written_by_pynwb):
    results = tmp_path / "results.nwb"
    write(recording, embeddings, output=results)
    command = [sys.executable, "-c", DIE, str(recording), str(results), stage]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert names(recording) == [".recording.nwb.neurid-journal", ".recording.nwb.neurid-lock", SAVED, "recording.nwb"]
    assert recording.read_bytes() != written_by_pynwb.read_bytes()
    check_writable(recording, name="x")
    assert recording.read_bytes() == written_by_pynwb.read_bytes()
    write(recording, embeddings, copy=False)
    assert names(recording) == ["recording.nwb"]


DIE_SAVING = """
import os, signal, sys
from pathlib import Path
from nwb_neurid.writers.nwb import writers
from nwb_neurid.writers.nwb.store import read, write

writers._verify = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
embeddings = read(Path(sys.argv[2]))[0].embeddings
write(Path(sys.argv[1]), embeddings, copy=False)
"""


@on_posix
def test_a_process_that_is_killed_while_it_saves_leaves_nothing_either(recording, tmp_path, embeddings, monkeypatch):
    scratch, results = tmp_path / "scratch", tmp_path / "results.nwb"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    write(recording, embeddings, output=results)
    command = [sys.executable, "-c", DIE_SAVING, str(recording), str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    hidden = f".{SAVED}"
    assert names(recording) == [f"{hidden}.neurid-lock", f"{hidden}.neurid-partial", "recording.nwb"]
    assert list(scratch.iterdir()) == []
    write(recording, embeddings)  # in whatever way
    assert names(recording) == ["recording.nwb"]


@pytest.fixture
def broken_off(recording, embeddings, monkeypatch):
    """A recording with a journal, and half of what it announces."""
    monkeypatch.setattr(module, "_put", lambda *_: None)
    unlink = type(recording).unlink
    keep = lambda path, **options: None if path.name.endswith("journal") else unlink(path, **options)  # noqa: E731
    monkeypatch.setattr(type(recording), "unlink", keep)
    write(recording, embeddings, copy=False)
    monkeypatch.undo()
    return recording


def test_a_file_that_others_changed_since_is_not_touched(broken_off, embeddings):
    with h5py.File(broken_off, "r+") as file:
        file.attrs["nwb_version"] = "2.0.0"
        file["acquisition/more"] = 1
    before = broken_off.read_bytes()
    said = r"recording\.nwb was being changed when nwb-neurid was killed, and another program has changed it since\."
    with pytest.raises(CannotWrite, match=said):
        write(broken_off, embeddings)
    assert broken_off.read_bytes() == before


def test_a_journal_of_another_file_is_removed(broken_off, written_by_pynwb):
    twin = broken_off.with_name("twin")
    shutil.copyfile(written_by_pynwb, twin)
    twin.replace(broken_off)
    recover(broken_off)
    assert names(broken_off) == ["recording.nwb"]
    assert broken_off.read_bytes() == written_by_pynwb.read_bytes()


def test_a_journal_that_broke_off_is_removed(broken_off):
    journal = broken_off.with_name(".recording.nwb.neurid-journal")
    journal.write_bytes(journal.read_bytes()[:-1])
    before = broken_off.read_bytes()
    recover(broken_off)
    assert names(broken_off) == ["recording.nwb"]
    assert broken_off.read_bytes() == before

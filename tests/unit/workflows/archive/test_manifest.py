"""What is done is noted once, and two runs never have one recording."""

import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nwb_neurid.errors import CannotWrite, UnreadableSource
from nwb_neurid.workflows.archive import manifest as module
from nwb_neurid.workflows.archive.manifest import CLAIMED, DONE, FAILED, Entry, Manifest


def entry(key="k", source="a.nwb"):
    return Entry(key=key, source=source, digest=f"file {key}", model="m", options="o", facts={})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "manifest.sqlite"


def test_what_one_run_claims_no_other_gets(path):
    one, other = Manifest(path), Manifest(path)
    assert one.claim(entry()).state == CLAIMED
    assert other.claim(entry()) is None
    one.finish("k", "a.parquet", "", {"units": 3})
    found = other.claim(entry())
    assert (found.state, found.path, found.facts) == (DONE, "a.parquet", {"units": 3})


def test_runs_that_begin_together_share_a_manifest(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            made = list(pool.map(lambda _, path=tmp_path / f"{number}.sqlite": Manifest(path), range(8)))
            assert sum(manifest.claim(entry()) is not None for manifest in made) == 1


def test_what_a_dead_process_claimed_is_claimed_anew(path, monkeypatch):
    dead = Manifest(path)
    dead.claim(entry())
    monkeypatch.setattr(module, "is_alive", lambda process: process != os.getpid())
    again = Manifest(path).claim(entry())
    assert (again.state, again.attempts) == (CLAIMED, 2)


def test_a_run_of_another_machine_that_falls_silent_loses_its_claims(path, monkeypatch):
    monkeypatch.setattr(module.socket, "gethostname", lambda: "elsewhere")
    Manifest(path).claim(entry())
    monkeypatch.undo()
    here = Manifest(path)
    assert here.claim(entry()) is None
    monkeypatch.setattr(module, "LEASE_S", 0.0)
    assert here.claim(entry()).run == here.run


@pytest.mark.parametrize("skew_s", [-3600.0, 3600.0])
def test_clocks_of_machines_may_differ(path, monkeypatch, skew_s):
    now = time.time()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(module.socket, "gethostname", lambda: "elsewhere")
        elsewhere.setattr(module.time, "time", lambda: now + skew_s)
        far = Manifest(path)
        far.claim(entry())
    here = Manifest(path)
    assert [here.claim(entry()) for _ in range(2)] == [None, None]


def test_a_run_that_ended_holds_nothing(path):
    one = Manifest(path)
    with one.hold():
        one.claim(entry())
    other = Manifest(path)
    assert other.claim(entry()).run == other.run


def test_a_run_says_that_it_is_alive_and_lets_go_at_its_end(path, monkeypatch):
    monkeypatch.setattr(module, "BEAT_S", 0.01)
    one, other = Manifest(path), Manifest(path)
    with one.hold():
        one.claim(entry())
        first = beat(path, one.run)
        deadline = time.monotonic() + 10
        while beat(path, one.run) == first and time.monotonic() < deadline:
            time.sleep(0.01)
        assert beat(path, one.run) > first
        assert other.claim(entry()) is None
    assert other.claim(entry()).run == other.run


def beat(path, run):
    with sqlite3.connect(path) as database:
        found = database.execute("SELECT beat FROM runs WHERE run = ?", (run,)).fetchone()[0]
    database.close()
    return found


def test_a_failure_counts_for_the_runs_of_its_time_and_is_tried_again_by_later_ones(path):
    one, beside = Manifest(path), Manifest(path)
    one.claim(entry())
    one.fail("k", "it is damaged")
    found = beside.claim(entry())
    assert (found.state, found.reason) == (FAILED, "it is damaged")
    assert Manifest(path).claim(entry()).state == CLAIMED


def test_a_run_that_lost_its_claim_cannot_call_it_failed_but_done(path, monkeypatch):
    slow = Manifest(path)
    slow.claim(entry())
    monkeypatch.setattr(module, "LEASE_S", -1.0)
    fast = Manifest(path)
    assert fast.claim(entry()) is None  # seen for the first time
    assert fast.claim(entry()).run == fast.run
    slow.fail("k", "the scheduler was lost")
    assert fast.find("k").state == CLAIMED
    slow.finish("k", "a.parquet", "", {})
    assert fast.find("k").state == DONE


def test_a_file_that_its_own_results_changed_is_found_by_what_it_is_now(path):
    one = Manifest(path)
    one.claim(entry())
    one.finish("k", "/a.nwb", "file after", {})
    assert one.find_written("file after", "m", "o").key == "k"
    assert one.find_written("file after", "m", "other options") is None
    one.forget("k")
    assert one.find("k") is None


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + b"?" * 4096, b"no database at all, " * 300])
def test_what_is_no_manifest_is_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(UnreadableSource, match="is not a manifest of nwb-neurid, or is damaged"):
        Manifest(path)
    assert path.read_bytes() == content


def test_databases_of_others_and_of_later_versions_are_refused(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    with pytest.raises(UnreadableSource, match="is a database of another program"):
        Manifest(path)
    later = path.with_name("later.sqlite")
    Manifest(later)
    with sqlite3.connect(later) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(UnreadableSource, match="of format 99, this nwb-neurid knows 1"):
        Manifest(later)


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(CannotWrite, match="cannot be written: unable to open database file"):
        Manifest(tmp_path / "nowhere" / "manifest.sqlite")

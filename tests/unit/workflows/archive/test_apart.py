"""A recording in a process beside the worker: whatever becomes of that process, the worker has an answer."""

import os
import time
from pathlib import Path

import pytest

from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.archive import apart
from nwb_neurid.workflows.archive.apart import Process, embed_apart
from nwb_neurid.workflows.archive.task import Asked, Claimed
from nwb_neurid.workflows.models import ModelChoice

pytest.importorskip("distributed", reason="workers need nwb-neurid[cluster]")

ISI = ModelChoice(encoder="isi", device="cpu")


def ask(process, *question, limit_s=None, memory=None):
    answer = process.ask("a.nwb", question, limit_s, memory)
    assert not process.is_alive
    return answer


def test_a_recording_that_never_ends_is_ended_when_its_time_is_over():
    answer = ask(Process(time.sleep), 600, limit_s=0.3)
    assert (answer.reason, answer.is_transient) == ("a.nwb: not finished after 0.3s (--time-limit).", False)


def test_a_recording_that_takes_more_memory_than_a_worker_has_is_ended():
    answer = ask(Process(time.sleep), 600, memory=1_000_000)
    assert "a.nwb: embedding took 0." in answer.reason
    assert "GB of memory, and a worker has 0.0 GB. Give each worker more (--memory)." in answer.reason
    assert not answer.is_transient


@pytest.mark.parametrize(("code", "said"), [(3, "exit code 3"), (-9, "SIGKILL")])
def test_a_process_that_ended_outside_of_a_file_is_tried_again(code, said):
    if code < 0 and os.name == "nt":
        pytest.skip("there are no signals")
    process = Process(os._exit if code > 0 else time.sleep)
    if code < 0:
        process._process.kill()
    answer = ask(process, code)
    assert f"a.nwb: the process that embedded it ended ({said})" in answer.reason
    assert answer.is_transient


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no signals")
def test_a_file_that_crashes_the_library_is_damaged_and_not_tried_again():
    process = Process(os.abort)
    process._watch.source, process._watch.wait_s = b"a.nwb", 10.0
    answer = ask(process)
    assert answer.reason.startswith("a.nwb crashes the library that reads it (SIGABRT). It is probably damaged")
    assert not answer.is_transient


def test_a_call_that_waits_for_ever_is_ended_and_tried_again():
    process = Process(time.sleep)
    process._watch.source, process._watch.wait_s = b"a.nwb", 0.3
    answer = ask(process, 600)
    assert answer.reason.startswith("a.nwb does not respond: reading it never ends.")
    assert answer.is_transient


def test_a_process_is_kept_for_the_next_recording_and_replaced_when_it_was_killed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_nwb(simulate(5, 20.0, 0), Path("a.nwb"))
    asked = Asked(model=ISI, dataset=tmp_path / "vectors")
    found = [embed_apart(asked, Claimed(source="a.nwb", key="k")) for _ in range(2)]
    (first,) = apart._idle
    first._process.kill()
    first._process.join()
    found.append(embed_apart(asked, Claimed(source="a.nwb", key="k")))
    (second,) = apart._idle
    assert [each.reason for each in found] == ["", "", ""]
    assert second is not first
    second._process.kill()
    apart._idle.clear()


@pytest.mark.parametrize(("seconds", "said"), [(7200.0, "2h"), (5400.0, "1.5h"), (90.0, "1.5m"), (2.0, "2s")])
def test_times_are_spelled_as_they_are_given(seconds, said):
    assert apart._spell_time(seconds) == said

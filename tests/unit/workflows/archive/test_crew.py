"""What became of a recording, whatever Dask makes of it."""

from types import SimpleNamespace

import pytest

from nwb_neurid.errors import NeuridError
from nwb_neurid.workflows.archive import crew as crews
from nwb_neurid.workflows.archive.task import Answer

distributed = pytest.importorskip("distributed", reason="workers need nwb-neurid[cluster]")


def read(status, error=None):
    return crews._read(SimpleNamespace(status=status, exception=lambda: error, result=lambda: Answer(path="a")))


def test_an_answer_is_passed_on():
    assert read("finished").path == "a"


def test_a_lost_worker_is_tried_again_with_advice():
    killed = distributed.KilledWorker("embed", SimpleNamespace(address="tcp://a:1"), 3)
    answer = read("error", killed)
    assert answer.is_transient
    assert "its workers were killed several times" in answer.reason


def test_what_is_cancelled_was_lost_with_the_scheduler():
    assert read("cancelled") == read("lost") == Answer(reason="the scheduler was lost", is_transient=True)


def test_a_worker_that_cannot_load_the_task_is_not_asked_again():
    answer = read("error", ModuleNotFoundError("No module named 'nwb_neurid'"))
    assert not answer.is_transient
    assert answer.reason.startswith("the worker failed with ModuleNotFoundError: No module named 'nwb_neurid'.")


def test_a_scheduler_that_stays_away_is_given_up(monkeypatch):
    def connect(address):
        raise crews.InvalidOption("nobody answers")

    monkeypatch.setattr(crews, "AGAIN_S", 0.0)
    monkeypatch.setattr(crews, "PATIENCE_S", -1.0)
    closed = SimpleNamespace(status="closed", close=lambda **_: None)
    monkeypatch.setattr(crews, "connect", lambda _: closed)
    crew = crews.Crew("tcp://a:1", 1)
    monkeypatch.setattr(crews, "connect", connect)
    with pytest.raises(NeuridError, match="was lost and did not come back in"):
        crew.collect(0.0)

"""Memory goes back to the system."""

import ctypes
import sys

import pytest

from nwb_neurid.training.memory import give_back


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is on Linux")
def test_it_asks_glibc(monkeypatch):
    asked = []

    class Library:
        def malloc_trim(self, kept):
            asked.append(kept)

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    give_back()
    assert asked == [0]


def test_a_library_without_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    give_back()

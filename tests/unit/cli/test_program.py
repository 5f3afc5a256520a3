"""Commands that are printed can be copied: they begin with the program as it was called."""

import os
import sys
from pathlib import Path

import pytest

from nwb_neurid.cli.program import spell

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")


@pytest.fixture
def call_as(monkeypatch, tmp_path):
    """Sets how the program was called; `on_path` says whether a shell would find it by its name."""

    def call_as(called, *, on_path=False):
        monkeypatch.setattr(sys, "argv", [str(called)])
        monkeypatch.setenv("PATH", str(Path(called).parent) if on_path else str(tmp_path / "nothing"))

    return call_as


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "bin" / "nwb-neurid"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_on_the_path_the_name_suffices(call_as, program):
    call_as(program, on_path=True)
    assert spell("show", "a.nwb") == "nwb-neurid show a.nwb"


def test_off_the_path_it_is_spelled_as_it_was_called(call_as):
    call_as(".venv/bin/nwb-neurid")
    assert spell("show", "a.nwb") == ".venv/bin/nwb-neurid show a.nwb"


def test_as_a_module_it_is_spelled_with_python(call_as):
    call_as("/somewhere/nwb_neurid/__main__.py")
    assert spell("show") == f"{sys.executable} -m nwb_neurid show"


def test_within_another_program_it_has_its_own_name(call_as):
    call_as("/usr/bin/pytest")
    assert spell("show") == "nwb-neurid show"


def test_words_are_quoted_where_a_shell_needs_it(call_as):
    call_as("nwb-neurid")
    assert spell("show", Path("my data/a;b.nwb")) == "nwb-neurid show 'my data/a;b.nwb'"

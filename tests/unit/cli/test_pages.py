"""--help shows no names of Python types, and nothing is cut off at 80 columns."""

import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from nwb_neurid.cli.app import app
from nwb_neurid.cli.pages import Command
from nwb_neurid.registry import default_encoder

PAGES = [[], *([name] for name in get_command(app).commands)]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_is_for_people(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, [*words, "--help"], env={"TERM": "dumb", "COLUMNS": "80"}).output
    assert "Usage: " in shown
    assert not re.search(r"<(bool|str|list|int|float|path)", shown, re.IGNORECASE)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(("command", "use"), [("train", "training"), ("demo", "baseline")])
def test_help_names_the_default_encoder(command, use):
    shown = CliRunner().invoke(app, [command, "--help"], env={"TERM": "dumb", "COLUMNS": "80"}).output
    words = " ".join(re.sub(r"[^\w.-]+", " ", shown).split())
    assert f"by default {default_encoder(use)}." in words


def test_commands_of_plugins_have_such_pages_too():
    assert {type(each) for each in get_command(app).commands["plugins"].commands.values()} == {Command}

"""`plugins`: the list, and what a check tells."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import typer

from neurid_isi import PLUGIN as ISI
from neurid_isi import IsiEncoder
from nwb_neurid.cli import plugins
from nwb_neurid.readers.neo import PLUGIN as NEO


class Numbered(IsiEncoder):
    """Puts the place of a unit into its vector."""

    def embed(self, population, **options):
        found = super().embed(population, **options)
        return replace(found, vectors=found.vectors + np.arange(len(found), dtype=np.float32)[:, None])


@pytest.fixture
def _made(monkeypatch, installed, entry_points_of):
    broken = replace(ISI, spec=replace(ISI.spec, name="broken"), build=lambda *_: Numbered())
    monkeypatch.setitem(sys.modules, "made_plugins", ModuleType("made_plugins"))
    sys.modules["made_plugins"].BROKEN, sys.modules["made_plugins"].NEO = broken, NEO
    readers = entry_points_of("lab-a", group="nwb_neurid.readers", neo="made_plugins:NEO")
    installed([*entry_points_of("lab-a", "2.5", broken="made_plugins:BROKEN"), *readers])
    for module in ("rules", "embedding"):
        monkeypatch.setattr(f"nwb_neurid.testing.{module}.import_alone", lambda _: (frozenset(), ""))


@pytest.mark.usefixtures("_made")
def test_a_check_tells_what_fails_and_how_to_fix_it(capsys):
    with pytest.raises(typer.Exit) as ended:
        plugins.check("broken")
    assert ended.value.exit_code == 2
    said = capsys.readouterr()
    assert said.out.startswith("encoder 'broken' (lab-a 2.5)\n")
    lines = [line.strip() for line in said.out.splitlines()]
    at = lines.index("failed: The order of the units does not affect their vectors.")
    assert lines[at + 1].startswith("permuting the units does more than permute the rows: vectors differ by up to ")
    assert lines[at + 2].startswith("How to fix it: Treat all units in the same way. A vector must not depend on ")
    assert "nwb-neurid: encoder 'broken' (lab-a 2.5) does not follow 2 of the 18 rules." in said.err


@pytest.mark.usefixtures("_made")
def test_a_reader_is_checked_as_far_as_it_can_be_without_a_source(capsys):
    plugins.check("neo", verbose=True)
    said = capsys.readouterr().out
    assert said.startswith("reader 'neo' (lab-a 1.0)\n")
    assert "passed: Anything else is not recognised" in said
    assert "skipped: The recording of the test is recognised." in said
    assert "no source was given" in said


@pytest.mark.usefixtures("_made")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"name": "absent"}, "There is no encoder 'absent'. Installed: broken."),
        ({"name": "broken", "preset": "huge"}, "Encoder 'broken' has no preset 'huge'. It has: default."),
        (
            {"name": "broken", "source": "here"},
            "'broken' is an encoder, and --source is for readers: leave out --source.",
        ),
        ({"name": "neo", "preset": "huge"}, "'neo' is a reader, which has no presets: leave out --preset."),
        ({"name": "neo", "source": "missing.plx"}, "missing.plx does not exist."),
    ],
)
def test_what_cannot_be_checked_is_told(capsys, tmp_path, words, told):
    source = words.get("source")
    with pytest.raises(typer.Exit) as ended:
        plugins.check(**{**words, "source": source and tmp_path / source})
    assert ended.value.exit_code == 2
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("_made")
def test_a_source_that_is_too_large_to_copy_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("nwb_neurid.testing.verdicts.LARGEST_BYTES", 3)
    (tmp_path / "a.plx").write_bytes(b"1234")
    with pytest.raises(typer.Exit):
        plugins.check("neo", source=tmp_path / "a.plx")
    assert "has 4 bytes, and is copied for every rule. Choose one below 3 bytes." in capsys.readouterr().err


def test_a_new_plugin_is_told_of(capsys, tmp_path):
    plugins.new(plugins.Kind.encoder, "made-here", torch=True, output=tmp_path)
    said = capsys.readouterr().out
    assert said.splitlines()[0] == f"{tmp_path / 'made-here'}: a new Python package with the encoder 'made-here'"
    assert (tmp_path / "made-here" / "made_here" / "network.py").is_file()


def test_a_reader_needs_no_torch(capsys, tmp_path):
    with pytest.raises(typer.Exit):
        plugins.new(plugins.Kind.reader, "made-here", torch=True, output=tmp_path)
    assert "--torch applies to encoders only: leave it out for a reader." in capsys.readouterr().err

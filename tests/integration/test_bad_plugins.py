"""Plugins that misbehave are named with their distribution and version, and no other command suffers."""

import os
from pathlib import Path

import pytest

import nwb_neurid

ENCODER = """
import sys
import numpy as np
from nwb_neurid.contracts import EncoderPlugin, EncoderSpec, silent
from nwb_neurid.results import Embeddings


class Encoder:
    config = {{}}
    dim = 2

    def state(self):
        return {{}}

    def embed(self, population, *, progress=silent):
        {embed}


PLUGIN = EncoderPlugin(
    spec=EncoderSpec(name="{name}", version="1", summary="misbehaves", contract=1, {accepts}),
    build=lambda config, state, device: Encoder(),
)
"""
SPIKES = "accepts=frozenset({'spikes'})"
VECTORS = "return Embeddings.of(population, np.ones((len(population), 2)))"
READER = """
from nwb_neurid.contracts import ReaderPlugin, ReaderSpec

PLUGIN = ReaderPlugin(
    spec=ReaderSpec(name="bad-reader", version="1", summary="misbehaves", contract=1),
    recognises=lambda source: source.no_such_thing,
    read=None,
)
"""
BAD = {
    "bad-import": "raise RuntimeError('no licence')",
    "bad-spec": ENCODER.format(name="bad-spec", accepts="taking=frozenset({'spikes'})", embed=VECTORS),
    "bad-kind": ENCODER.format(name="bad-kind", accepts="accepts=frozenset({'spike'})", embed=VECTORS),
    "bad-shape": ENCODER.format(
        name="bad-shape", accepts=SPIKES, embed="return Embeddings.of(population, np.ones((len(population), 3)))"
    ),
    "bad-exit": ENCODER.format(name="bad-exit", accepts=SPIKES, embed="sys.exit(7)"),
    "bad-print": "print('hello')\n"
    + ENCODER.format(name="bad-print", accepts=SPIKES, embed=f"print('working'); {VECTORS}"),
    "bad-reader": READER,
}


@pytest.fixture(autouse=True)
def _bad_plugins_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    for name, code in BAD.items():
        about = folder / f"{name.replace('-', '_')}-2.5.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lab-{name}\nVersion: 2.5\n", "utf-8")
        kind = "readers" if name == "bad-reader" else "encoders"
        module = name.replace("-", "_")
        (about / "entry_points.txt").write_text(f"[nwb_neurid.{kind}]\n{name} = {module}:PLUGIN\n", "utf-8")
        (folder / f"{module}.py").write_text(code, "utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def test_a_list_names_every_one_and_goes_on(run):
    done = run("plugins")
    faults = {
        "bad-import": "cannot be imported: RuntimeError: no licence",
        "bad-spec": "cannot be imported: TypeError: ",
        "bad-kind": "cannot be imported: The spec of encoder 'bad-kind' cannot be used",
    }
    for name, fault in faults.items():
        module = name.replace("-", "_")
        assert f"warning: encoder '{name}' ({module}:PLUGIN, lab-{name} 2.5) {fault}" in done.stderr
    assert "hello" in done.stderr
    assert "hello" not in done.stdout
    for name in ("isi", "nuclr", "bad-shape", "nwb"):
        assert f"  {name} 1 (" in done.stdout


def test_other_commands_work(run, recording):
    said = run("inspect", recording)
    assert "  isi: yes" in said.stdout
    assert "  bad-import: no, encoder 'bad-import' (bad_import:PLUGIN, lab-bad-import 2.5) cannot be" in said.stdout
    assert "Reader 'bad-reader' (lab-bad-reader 2.5) failed to check whether it can read" in said.stderr
    assert "12 of 12 units embedded" in run("embed", "--encoder", "isi", recording).stdout
    run("show", recording)
    run("remove", recording, "--name", "neurid_isi")
    run("simulate", "made.nwb", "--units", 6, "--duration", 20)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("bad-import", "encoder 'bad-import' (bad_import:PLUGIN, lab-bad-import 2.5) cannot be imported"),
        ("bad-shape", "Encoder 'bad-shape' (lab-bad-shape 2.5) must return Embeddings with vectors of shape (12, 2)"),
        ("bad-exit", "Encoder 'bad-exit' (lab-bad-exit 2.5) failed on "),
    ],
)
def test_embedding_with_one_names_it_and_changes_nothing(run, recording, sha256, name, told):
    before = sha256(recording)
    assert told in run("embed", recording, "--encoder", name, code=2).stderr
    assert sha256(recording) == before


def test_what_one_prints_is_no_result(run, recording):
    done = run("embed", recording, "--encoder", "bad-print")
    assert "working" in done.stderr
    assert "working" not in done.stdout
    assert [found.name for found in nwb_neurid.read_results(recording)] == ["neurid_bad-print"]

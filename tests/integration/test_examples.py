"""The scripts of examples/ run as they are."""

import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import numpy as np
import pynwb
import pytest

import nwb_neurid
from nwb_neurid.correlogram import count_pairs

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_from_spikeinterface_to_nwb(tmp_path):
    pytest.importorskip("spikeinterface", reason="spikeinterface is not installed")
    script = EXAMPLES / "spikeinterface_to_nwb.py"
    assert len(script.read_text("utf-8").splitlines()) < 60
    words = [sys.executable, str(script), str(tmp_path), "20"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "results.nwb: neurid_isi, Embeddings(12 of 12 units, dim 53, 'isi')" in done.stdout
    ((_, embeddings, (predictions,)),) = nwb_neurid.read_results(tmp_path / "results.nwb")
    assert predictions.label_name == "cell_type"
    assert len(predictions) == len(embeddings) == 12
    again = nwb_neurid.load_analyzer(tmp_path / "analyzer.zarr")
    assert again.get_extension("neurid_predictions").predictions().label.tolist() == predictions.label.tolist()


TYPES = {"PV": (20.0, 2), "SST": (8.0, 1), "VIP": (3.0, 1), "Axo_": (12.0, 4), "Pyra": (1.5, 1)}
"""Rate in Hz and regularity of the spikes of each type."""

NAMES = {"Axo_": "Axo_Axonic", "Pyra": "Pyramidal"}
ANIMALS = [f"{kind}{number}" for kind in ("mouse", "rat") for number in (1, 2, 3)]


def fire(rng, rate_hz, order, duration_s):
    """A train of one type; its first third is laser bursts."""
    steps_s = rng.gamma(order, 1 / rate_hz / order, int(2 * rate_hz * duration_s)) + 2e-3
    times_s = np.cumsum(steps_s)
    bursts_s = (np.arange(0.0, duration_s / 3, 0.05)[:, None] + np.arange(5) * 1.5e-3).ravel()
    return np.sort(np.r_[bursts_s, times_s[(times_s > duration_s / 3) & (times_s < duration_s)]])


def keep_histograms(train_s, runs_s):
    """As CellExplorer keeps them."""
    log_s = 10 ** (-3 + 0.04 * np.arange(101))
    widths_s = np.diff(log_s)
    wide = count_pairs(train_s, runs_s, (np.arange(501) + 0.5) * 1e-3)
    narrow = count_pairs(train_s, runs_s, (np.arange(101) + 0.5) * 5e-4)
    return {
        "isi": np.histogram(np.diff(train_s), log_s)[0] / widths_s,
        "acg_log": count_pairs(train_s, runs_s, log_s) / widths_s,
        "acg_wide": np.r_[wide[::-1], 0.0, wide],
        "acg_narrow": np.r_[narrow[::-1], 0.0, narrow],
    }


@pytest.fixture(scope="module")
def identified(tmp_path_factory):
    """Six animals of five cells each as histograms without laser epochs, one of them as a recording with them."""
    folder, rng, duration_s = tmp_path_factory.mktemp("identified"), np.random.default_rng(0), 120.0
    (folder / "identified_cells").mkdir()
    (folder / "cellexplorer").mkdir()
    rows, recorded = [], []
    dark_s = np.array([[duration_s / 3, duration_s]])
    for animal in ANIMALS:
        for at, (name, (rate_hz, order)) in enumerate(TYPES.items()):
            train_s = fire(rng, rate_hz, order, duration_s)
            t_ms = np.arange(46) * 0.03 - 0.5
            wave = -np.exp(-((t_ms / 0.1) ** 2)) + 0.3 * np.exp(-(((t_ms - 0.25 - 0.08 * at) / 0.15) ** 2))
            wave += rng.normal(0, 0.01, len(wave))
            kept = keep_histograms(train_s[train_s > duration_s / 3], dark_s)
            rows.append({**kept, "waveform": wave, "cell_type": name, "animal": animal})
            if animal == ANIMALS[0]:
                recorded.append(
                    (NAMES.get(name, name), train_s, np.interp(np.arange(48) / 30, np.arange(46) * 0.03, wave))
                )
    table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    np.savez(folder / "identified_cells" / "cellexplorer.npz", **table)
    nwbfile = pynwb.NWBFile("identified cells", "s1", datetime(2020, 1, 1, tzinfo=UTC), session_id="s1")
    nwbfile.subject = pynwb.file.Subject(subject_id=ANIMALS[0], species="Mus musculus", sex="U", age="P90D")
    nwbfile.add_unit_column("cell_type", "its type")
    for name, train_s, wave in recorded:
        nwbfile.add_unit(spike_times=train_s, obs_intervals=[[0.0, duration_s]], waveform_mean=wave, cell_type=name)
    with pynwb.NWBHDF5IO(folder / "cellexplorer" / f"sub-{ANIMALS[0]}_ses-s1.nwb", "w") as file:
        file.write(nwbfile)
    return folder


@pytest.fixture
def scripts(monkeypatch):
    """The two scripts on cell types, with little to compute."""
    monkeypatch.syspath_prepend(EXAMPLES)
    fitting, scoring = import_module("fit_cell_types"), import_module("score_cell_types")
    monkeypatch.setattr(fitting, "STEPS", 5)
    monkeypatch.setattr(fitting, "INPUTS", fitting.INPUTS[-1:])
    monkeypatch.setattr(fitting, "STRENGTHS", fitting.STRENGTHS[-1:])
    return fitting, scoring


def test_cell_types_are_fitted(identified, scripts, monkeypatch, capsys, tmp_path):
    fitting, _ = scripts
    monkeypatch.setattr(sys, "argv", ["fit_cell_types.py", str(identified), str(tmp_path / "model")])
    fitting.main()
    printed = capsys.readouterr().out
    assert printed.count('"on held-out animals, as spike trains with waveform"') == 2
    model = nwb_neurid.load_model(tmp_path / "model")
    (head,) = model.heads.values()
    assert (head.label_name, head.stretches, head.coverage) == ("cell_type", 4, 0.8)
    assert head.classes.tolist() == ["AAC", "PV", "SST", "VIP", "pyramidal"]
    assert set(head.rare) == set(head.classes.tolist()), "six cells of each are too few"
    assert (head.details["units"], head.details["animals"]) == (30, 6)
    assert head.details["balanced_accuracy"] > 0.5
    assert head.details["on held-out animals, as spike trains with waveform"]["cells"] == 5
    path = next(identified.glob("cellexplorer/*.nwb"))
    population = nwb_neurid.read(path, rate_hz=30_000.0, exclude=":40")
    found = model.predict(model.embed(population), population=population)
    assert found.abstained.all(), "every class is rare"
    assert (found.label == ["PV", "SST", "VIP", "AAC", "pyramidal"]).sum() >= 3


def test_cell_types_are_scored_without_laser_epochs(identified, scripts, monkeypatch, capsys):
    _, scoring = scripts
    monkeypatch.setattr(sys, "argv", ["score_cell_types.py", str(identified)])
    scoring.main()
    lines = capsys.readouterr().out.splitlines()
    assert f"{ANIMALS[0]}, s1: 0 to 40 s are left out" in lines
    assert sum(line.startswith("  5 cells of 1 animals, balanced accuracy ") for line in lines) == 2
    with_laser, without = (
        [int(line.partition(": ")[2][0]) for line in part if " of 1" in line and "cells" not in line]
        for part in (lines[: len(lines) // 2], lines[len(lines) // 2 :])
    )
    assert sum(without) >= sum(with_laser)

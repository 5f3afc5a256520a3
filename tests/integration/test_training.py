"""`nwb-neurid train`, and `embed --fit`, as a user runs them."""

import os
import signal
import subprocess
import sys
import time

import nwb_neurid

TRAIN = ("--preset", "small", "--windows", 2, "--device", "cpu")


def test_train_then_embed(run, recording, tmp_path):
    said = run("train", recording, "--output", "model", "--steps", 3, *TRAIN).stdout
    assert "model: encoder nuclr, 64 dimensions, 3 steps" in said
    run("embed", recording, "--model", "model")
    found = nwb_neurid.read_results(recording)[0].embeddings
    assert found.provenance.training.startswith("3 steps, seed 0, on 12 units of 1 population")


def test_a_killed_training_goes_on_to_the_same_weights(run, recording, tmp_path):
    run("train", recording, "--output", "whole", "--steps", 30, *TRAIN)
    words = [sys.executable, "-m", "nwb_neurid", "train", recording, "--output", "model", "--steps", 30, *TRAIN]
    training = subprocess.Popen(
        [*map(str, words)], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ}
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "model").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    training.send_signal(signal.SIGINT)
    training.wait(timeout=60)
    model = tmp_path / "model"
    if (model / "checkpoint.safetensors").exists():
        run("train", recording, "--output", "model", "--steps", 30, *TRAIN, "--resume")
    elif not (model / "weights.safetensors").exists():  # it was interrupted before the first step
        run("train", recording, "--output", "model", "--steps", 30, *TRAIN)
    assert (tmp_path / "model" / "weights.safetensors").read_bytes() == (
        tmp_path / "whole" / "weights.safetensors"
    ).read_bytes()
    assert (tmp_path / "model" / "loss.csv").read_text() == (tmp_path / "whole" / "loss.csv").read_text()


def test_fit_trains_on_the_recording_itself_and_says_so(run, recording):
    run("embed", recording, "--encoder", "nuclr", "--preset", "small", "--fit", "--steps", 2, "--device", "cpu")
    found = nwb_neurid.read_results(recording)[0].embeddings
    assert found.provenance.training.startswith("on the recording itself, comparable within it only: 2 steps")


def test_what_does_not_learn_is_one_line(run, recording):
    refused = run("train", recording, "--output", "model", "--encoder", "isi", code=2).stderr
    assert "Encoder 'isi' needs no training" in refused


def test_fit_of_a_trained_model_is_refused(run, recording):
    refused = run("embed", recording, "--model", "model", "--fit", code=2).stderr
    assert "leave out --encoder, --preset, --untrained and --fit" in refused

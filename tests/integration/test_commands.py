"""Each command on a simulated recording."""

import json
import shutil

import h5py
import numpy as np
import pynwb
import pytest
from safetensors.numpy import load_file, save_file

import nwb_neurid


def test_embed_writes_one_row_per_unit_and_says_so(run, recording):
    said = run("embed", "--encoder", "isi", recording).stdout
    assert "12 of 12 units embedded" in said
    assert "no label head" in said
    found = nwb_neurid.read_results(recording)
    assert [result.name for result in found] == ["neurid_isi"]
    assert len(found[0].embeddings) == 12


def test_without_a_name_the_model_that_ships_is_taken(run, recording, tmp_path):
    run("simulate", "imaged.nwb", "--imaging", "--units", 8, "--duration", 40)
    for path, dim in ((recording, 88), (tmp_path / "imaged.nwb", 96)):
        assert "Encoder company has no label head" in run("embed", path).stdout
        (found,) = nwb_neurid.read_results(path)
        assert (found.name, found.embeddings.vectors.shape[1]) == ("neurid_company", dim)
        assert "SIMULATED" in run("show", path).stdout


def test_a_table_is_called_after_the_encoder_that_the_recording_gets(run, recording, tmp_path):
    run("simulate", "imaged.nwb", "--imaging", "--units", 8, "--duration", 40)
    (tmp_path / "tables").mkdir()
    run("embed", recording, "imaged.nwb", "--format", "csv", "--output", "tables")
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        "recording.neurid_company.csv",
        "imaged.neurid_company.csv",
    }


@pytest.mark.parametrize("words", [["--untrained"], ["--preset", "small"], ["--fit"]])
def test_options_of_an_encoder_want_one(run, recording, words):
    assert "need an encoder: add one" in run("embed", recording, *words, code=2).stderr


def test_quiet_prints_nothing(run, recording):
    done = run("embed", "--encoder", "isi", recording, "--quiet")
    assert done.stdout == done.stderr == ""


def test_verbose_tells_the_configuration(run, recording):
    assert "weights SHA-256 none" in run("embed", "--encoder", "isi", recording, "--verbose").stdout


def test_a_second_run_needs_overwrite_or_a_name(run, recording, sha256):
    run("embed", "--encoder", "isi", recording)
    before = sha256(recording)
    refused = run("embed", "--encoder", "isi", recording, code=2).stderr
    assert "recording.nwb" in refused
    assert "--overwrite" in refused
    assert sha256(recording) == before
    run("embed", "--encoder", "isi", recording, "--overwrite")
    run("embed", "--encoder", "isi", recording, "--name", "again")
    assert [result.name for result in nwb_neurid.read_results(recording)] == ["again", "neurid_isi"]


def test_output_leaves_the_source_alone(run, recording, tmp_path, sha256):
    before = sha256(recording)
    run("embed", "--encoder", "isi", recording, "--output", tmp_path / "copy.nwb")
    assert sha256(recording) == before
    assert len(nwb_neurid.read_results(tmp_path / "copy.nwb")) == 1


def test_several_sources_go_to_a_folder_and_one_fault_stops_no_other(run, recording, tmp_path):
    other = tmp_path / "other.nwb"
    shutil.copy(recording, other)
    (tmp_path / "out").mkdir()
    done = run("embed", "--encoder", "isi", recording, "missing.nwb", other, "--output", tmp_path / "out", code=2)
    assert "missing.nwb does not exist" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["other.nwb", "recording.nwb"]


def test_several_sources_need_a_folder_and_names_of_their_own(run, recording, tmp_path):
    assert (
        "must be an existing folder"
        in run("embed", "--encoder", "isi", recording, recording, "-o", "x.nwb", code=2).stderr
    )
    refused = run("embed", "--encoder", "isi", recording, recording, "-o", tmp_path, code=2).stderr
    assert "would have the same name (recording.nwb)" in refused


def test_one_seed_gives_one_result(run, recording, tmp_path):
    for name in ("first", "second"):
        run("embed", recording, "--encoder", "nuclr", "--preset", "small", "--untrained", "--seed", 5, "--name", name)
    first, second = (result.embeddings.vectors for result in nwb_neurid.read_results(recording))
    np.testing.assert_array_equal(first, second)
    run("embed", recording, "--encoder", "nuclr", "--preset", "small", "--untrained", "--seed", 6, "--name", "third")
    third = nwb_neurid.read_results(recording, "third")[0].embeddings
    assert not np.allclose(first, third.vectors, equal_nan=True)
    assert third.provenance.training == "untrained: random weights, seed 6"
    with h5py.File(recording) as file:
        assert "untrained" in file["processing/ecephys/third_embeddings"].attrs["description"].lower()


def test_steps_are_of_a_training(run, recording):
    refused = run("embed", recording, "--encoder", "isi", "--steps", 5, code=2).stderr
    assert "--steps is the number of training steps of --fit: add --fit, or leave out --steps." in refused


def test_a_folder_that_holds_recordings_is_none_itself(run, recording):
    refused = run("embed", recording.parent, "--encoder", "isi", code=2).stderr
    assert f"If the folder holds recordings, pass them: {recording.parent / '*'}" in refused.replace("\n", "")


def test_untrained_weights_are_asked_for(run, recording):
    assert "--untrained" in run("embed", recording, "--encoder", "nuclr", code=2).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--encoder", "nothing"], "There is no encoder 'nothing'. Installed: company, fingerprint, isi,"),
        (["--encoder", "isi", "--preset", "huge"], "no preset 'huge'"),
        (["--device", "tpu"], "device must be one of auto, cpu, cuda, got 'tpu'"),
        (["--model", "nowhere"], "nowhere is not a model folder"),
        (["--model", "m", "--encoder", "isi"], "leave out --encoder"),
        (["--name", "a/b"], "a/b"),
    ],
)
def test_options_that_cannot_be_used(run, recording, sha256, words, message):
    before = sha256(recording)
    assert message in run("embed", recording, *words, code=2).stderr
    assert sha256(recording) == before


def test_inspect_tells_what_is_there_and_who_can_embed_it(run, recording):
    said = run("inspect", recording).stdout
    assert "12 units, 30 s observed in 1 unbroken run" in said
    assert "cell_type: " in said
    assert "isi: yes" in said
    assert "nuclr: yes (presets: base, small)" in said


def test_inspect_lists_behaviour_and_stimulus(run, recording):
    with pynwb.NWBHDF5IO(recording, "a") as io:
        nwbfile = io.read()
        data = np.zeros((300, 2))
        nwbfile.add_acquisition(pynwb.TimeSeries(name="paws", data=data, unit="mm", rate=10.0))
        nwbfile.add_trial_column("choice", "left or right")
        nwbfile.add_trial(start_time=1.0, stop_time=2.0, choice="left")
        nwbfile.add_trial(start_time=3.0, stop_time=4.5, choice="right")
        io.write(nwbfile)
    said = [" ".join(line.split()) for line in run("inspect", recording).stdout.splitlines()]
    assert "paws continuous, 10 Hz, in mm 2 0 s 29.9 s" in said
    assert "trials/choice intervals, 2 left, right 1 s 4.5 s" in said


def test_inspect_tells_why_not(run, tmp_path):
    run("simulate", "short.nwb", "--units", 3, "--duration", 4)
    said = run("inspect", "short.nwb").stdout
    assert "nuclr: no, it needs 10 s of observed time, the recording has 4 s" in said
    refused = run("embed", "short.nwb", "--encoder", "nuclr", "--untrained", code=2).stderr
    assert "cannot encode" in refused
    assert "it needs 10 s of observed time, the recording has 4 s" in refused


def test_show_previews_tables_and_model(run, recording):
    run("embed", "--encoder", "isi", recording)
    said = run("show", recording, "--rows", 2).stdout
    assert "neurid_isi: 12 of 12 units with a vector of 53 dimensions" in said
    assert "encoder isi 1" in said
    assert "none needed" in said
    assert "  2 of 12 units are listed; --rows N lists more" in said
    run("embed", "--encoder", "isi", recording, "--name", "again")
    said = run("show", recording).stdout
    assert all(f"--name {name}" in said for name in ("neurid_isi", "again"))


def test_show_without_results(run, recording):
    assert "holds no results" in run("show", recording, code=2).stderr
    assert "does not exist" in run("show", "missing.nwb", code=2).stderr


def test_plugins_lists_encoders_and_readers(run):
    said = run("plugins").stdout
    for name in ("isi 1", "nuclr 1", "nwb 1"):
        assert f"  {name} (nwb-neurid {nwb_neurid.__version__})" in said


def test_simulate_is_the_same_for_the_same_seed(run, tmp_path):
    for name in ("one.nwb", "two.nwb"):
        run("simulate", name, "--units", 5, "--duration", 2, "--seed", 4)
    one, two = (nwb_neurid.read(tmp_path / name).spikes.times_s for name in ("one.nwb", "two.nwb"))
    np.testing.assert_array_equal(one, two)


def test_simulate_writes_a_folder_of_animals(run):
    said = run(
        *("simulate", "animals", "--animals", 2, "--out-of-domain", 1, "--regions", 2),
        *("--units", 6, "--duration", 2, "--jobs", 1),
    ).stdout
    assert "animals: 3 simulated animals of 6 units over 2 s, 1 of them outside the domain" in said
    inspected = run("inspect", "animals/outside-000.nwb").stdout
    assert "brain_region: simulated region A 3, simulated region B 3" in inspected
    assert "behavior/running_speed" in inspected


def test_simulate_writes_fluorescence(run):
    said = run("simulate", "imaged.nwb", "--imaging", "--rate-hz", 10, "--units", 3, "--duration", 2).stdout
    assert "imaged.nwb: 3 simulated units, imaged at 10 Hz in 2 s" in said
    assert "dff: 20 samples at 10 Hz" in run("inspect", "imaged.nwb").stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rate-hz", 4], "--rate-hz is the frame rate of --imaging: add --imaging, or leave out --rate-hz."),
        (["--jobs", 2], "--jobs needs --animals: add --animals, or leave out --jobs."),
        (["--out-of-domain", 1], "--out-of-domain needs --animals: add --animals, or leave out --out-of-domain."),
        (["--imaging", "--rate-hz", 0.001], "60 s hold no frame at 0.001 Hz. Simulate 1000 s or more."),
    ],
)
def test_simulate_refuses_options_that_say_nothing(run, options, message):
    assert message in run("simulate", "simulated.nwb", *options, code=2).stderr


def test_simulate_refuses_to_replace(run, recording):
    assert "--overwrite" in run("simulate", recording, code=2).stderr


def test_demo_ends_with_a_score_a_picture_and_the_report(run, tmp_path):
    said = run("demo", "--units", 60, "--duration", 20, "--output", tmp_path / "a" / "demo").stdout
    assert "macro F1" in said
    assert (tmp_path / "a" / "demo" / "embeddings.png").read_bytes().startswith(b"\x89PNG")
    page = tmp_path / "a" / "demo" / "simulated.report.html"
    assert said.splitlines()[-1] == f"Report: {page}. Open it in a browser."
    assert page.read_text("utf-8").startswith("<!doctype html>")
    score = float(said.split("macro F1 ")[1].split()[0])
    chance = float(said.split("chance ")[1].split(")")[0])
    assert score > chance + 0.2


def test_import_makes_a_model_folder_that_embeds(run, recording, shared_golden, tmp_path):
    checkpoint = shared_golden / "nuclr_spikes_weights.safetensors"
    assert "dim = 32" in run("import", "nuclr", checkpoint, "-o", "model").stdout
    about = json.loads((tmp_path / "model" / "model.json").read_text())
    assert about["encoder"] == "nuclr"
    run("embed", recording, "--model", "model")
    provenance = nwb_neurid.read_results(recording)[0].embeddings.provenance
    assert provenance.weights_sha256 == about["weights_sha256"]
    assert "nuclr_spikes_weights.safetensors" in provenance.training
    assert "exists" in run("import", "nuclr", checkpoint, "-o", "model", code=2).stderr


def test_import_refuses_what_is_no_checkpoint(run, recording, tmp_path):
    assert "no checkpoints to import" in run("import", "isi", recording, "-o", "model", code=2).stderr
    assert "recording.nwb" in run("import", "nuclr", recording, "-o", "model", code=2).stderr
    assert "KEY=VALUE" in run("import", "nuclr", recording, "-o", "model", "--set", "dim", code=2).stderr
    assert not (tmp_path / "model").exists()


def test_a_model_whose_weights_were_exchanged_is_refused(run, recording, shared_golden, tmp_path):
    run("import", "nuclr", shared_golden / "nuclr_spikes_weights.safetensors", "-o", "model")
    weights = load_file(tmp_path / "model" / "weights.safetensors")
    weights["read_in.bias"] = weights["read_in.bias"] + 1
    save_file(weights, tmp_path / "model" / "weights.safetensors")
    assert "does not match model.json" in run("embed", recording, "--model", "model", code=2).stderr


def test_a_fault_of_ours_is_one_line_and_code_1(run, recording, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("from nwb_neurid.workflows import embed\ndel embed.embed_file\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "This is a bug in nwb-neurid" in run("embed", "--encoder", "isi", recording, code=1).stderr


def test_help_names_every_option(run):
    for command in ("embed", "inspect", "show", "plugins", "simulate", "demo", "import"):
        assert "--quiet" in run(command, "--help").stdout


def test_a_table_of_labels_serves_every_command_that_reads(run, tmp_path):
    for seed in range(3):
        run("simulate", f"{seed}.nwb", "--units", 12, "--duration", 20, "--seed", seed)
    rows = [f"{seed}.nwb,{row},{'even' if row % 2 == 0 else 'odd'}" for seed in range(3) for row in range(12)]
    (tmp_path / "table.csv").write_text("\n".join(["source,row,parity", *rows]) + "\n")
    asked, sources = ("--labels", "table.csv"), [f"{seed}.nwb" for seed in range(3)]
    assert "parity" in run("inspect", "0.nwb", *asked).stdout
    fitted = run("fit-labels", "isi", *sources, "--label", "parity", *asked, "--output", "model").stdout
    assert "parity of 36 units of 3 animals: even 18, odd 18" in fitted
    run(
        "evaluate",
        *sources,
        "--encoder",
        "isi",
        "--protocol",
        "transductive",
        "--label",
        "parity",
        *asked,
        "--output",
        "scores",
    )
    assert json.loads((tmp_path / "scores" / "scores.json").read_text())["macro_f1"] >= 0
    run("embed", "0.nwb", "--model", "model", *asked, "--format", "csv")
    (made,) = tmp_path.glob("0.neurid*.csv")
    header, first = made.read_text().splitlines()[:2]
    assert first.split(",")[header.split(",").index("parity")] == "even"

"""What a user reads after a command: what was done, how to undo it, what to do next; as lines and as JSON."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb

HOSTILE = "\x1b[31mPV\x1b[0m\nnwb-neurid: fine\u202e"


def test_embed_names_the_table_and_how_to_undo_it(run, recording, sha256):
    before = sha256(recording)
    lines = run("embed", recording, "--encoder", "isi").stdout.splitlines()
    assert lines[0] == f"{recording}: 12 of 12 units embedded"
    assert "  The results were written into the file: table neurid_isi_embeddings." in lines
    (undo,) = [line.partition(": ")[2] for line in lines if line.startswith("  To undo it: ")]
    assert undo.endswith(f"nwb_neurid remove {recording} --name neurid_isi")
    run(*undo.partition("nwb_neurid ")[2].split())
    assert sha256(recording) != before  # a copy without them, not the same bytes
    assert "holds no results" in run("show", recording, code=2).stderr


def test_embed_says_that_the_recording_stays_as_it_is(run, recording, tmp_path):
    said = run("embed", recording, "--encoder", "isi", "--output", tmp_path / "out.nwb").stdout
    assert f"  The results are in the table neurid_isi_embeddings; {recording} was not changed." in said
    assert "To undo it" not in said
    said = run("embed", recording, "--encoder", "isi", "--format", "csv").stdout
    assert "To undo it" not in said
    assert "table" not in said


@pytest.mark.parametrize("source", ["kilosort", "suite2p"])
def test_show_finds_the_results_on_a_folder(run, request, source, tmp_path):
    folder = request.getfixturevalue(source)
    options = ["--rate-hz", 1000] if source == "kilosort" else ["--rate-hz", 10]
    assert f"{folder} has no results beside it: " in run("show", folder, code=2).stderr
    encoder = ["isi"] if source == "kilosort" else ["nuclr", "--preset", "small-calcium", "--untrained"]
    run("embed", folder, "--encoder", *encoder, *options)
    lines = run("show", folder).stdout.splitlines()
    sidecar = folder.with_name(f"{folder.name}.neurid.nwb")
    assert lines[0] == f"The results on {folder} are in {sidecar}"
    assert lines[1].startswith(f"neurid_{encoder[0]}: ")
    assert json.loads(run("show", folder, "--json").stdout)["path"] == str(sidecar)


def test_show_finds_the_sidecar_of_a_recording(run, recording):
    run("embed", recording, "--encoder", "isi", "--sidecar")
    assert f"The results on {recording} are in " in run("show", recording).stdout


def test_units_are_named_by_id_with_what_is_known_of_them(run, recording):
    with h5py.File(recording, "r+") as file:
        file["units/id"][:] = np.arange(100, 112)
    run("embed", recording, "--encoder", "isi")
    types = nwb_neurid.read(recording).labels["cell_type"]
    shown = json.loads(run("show", recording, "--rows", 1, "--json").stdout)["results"][0]
    (first,), clusters = shown["rows"], shown["clusters"]
    assert (first["unit"], first["cell_type"]) == ("100", types[0])
    assert clusters[0].startswith("clusters: ")
    alike = first["most_alike"]
    assert len(alike) == 5
    assert all(types[int(each["unit"]) - 100] == each["cell_type"] for each in alike)
    line = next(line for line in run("show", recording).stdout.splitlines() if line.startswith("100 "))
    assert f"{alike[0]['unit']} ({alike[0]['cell_type']})" in line


def test_inspect_names_models_reasons_by_preset_and_the_next_step(run, recording, tmp_path):
    said = run("inspect", recording).stdout
    assert "  company-spikes (company): yes, the default for this recording" in said
    assert "  default-spikes (neurpir): yes" in said
    assert "  company-calcium (company): no, it takes " in said
    assert "  mean waveforms: 0 of 12 units" in said
    assert "  cell-types (fingerprint): no, it would abstain from every unit: no waveform (" in said
    assert said.rstrip().endswith(f"nwb_neurid embed {recording}")
    run("simulate", "short.nwb", "--units", 3, "--duration", 4)
    said = run("inspect", "short.nwb").stdout
    assert "  nuclr: no, it needs 10 s of observed time, the recording has 4 s (presets: base, small" in said
    assert "No included model can embed it. Choose an encoder: " in said
    assert said.rstrip().endswith("nwb_neurid embed short.nwb --encoder isi")


def test_plugins_name_models_and_the_next_step(run):
    lines = run("plugins").stdout.splitlines()
    assert "  company-spikes (company): takes spikes" in lines
    assert lines[-1].endswith("nwb_neurid inspect SOURCE")


def test_a_head_that_guesses_is_no_head_to_use(run, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        made = simulate(16, 20.0, number)
        made = replace(made, cell_type=rng.permutation(np.array(["PV", "SST"] * 8)))
        write_nwb(made, tmp_path / f"{number}.nwb")
    done = run("fit-labels", "isi", *(f"{n}.nwb" for n in range(3)), "--label", "cell_type", "--output", "model")
    assert "The head for cell_type is no better than guessing" in done.stdout
    assert "Use it" not in done.stdout


def test_json_of_each_command(run, recording, tmp_path):
    inspected = json.loads(run("inspect", recording, "--json").stdout)
    assert (inspected["units"], inspected["activity"]["kind"]) == (12, "spikes")
    model = {"encoder": "company", "fits": True, "problems": [], "labels": [], "on_request": False}
    assert inspected["models"]["company-spikes"] == model
    assert inspected["encoders"]["isi"]["presets"]
    lines = run("embed", recording, "missing.nwb", "--encoder", "isi", "--json", code=2).stdout.splitlines()
    done, failed = map(json.loads, lines)
    assert (done["path"], done["embedded"], done["changed"]) == (str(recording), 12, True)
    assert failed == {"source": "missing.nwb", "error": "missing.nwb does not exist."}
    ((shown),) = json.loads(run("show", recording, "--rows", 3, "--json").stdout)["results"]
    assert (shown["name"], shown["embedded"], len(shown["rows"])) == ("neurid_isi", 12, 3)
    assert shown["model"]["encoder"] == "isi"
    run("simulate", "more.nwb", "--units", 40, "--duration", 20)
    options = ("--encoder", "isi", "--label", "cell_type", "--protocol", "transductive", "--folds", 2)
    scores = json.loads(run("evaluate", "more.nwb", *options, "--output", "scores", "--json").stdout)
    assert scores["folder"] == "scores"
    assert {row["system"] for row in scores["rows"]} >= {"isi", "chance"}
    compared = json.loads(run("compare", "scores", "scores", "--json").stdout)
    assert [row["folder"] for row in compared["rows"]][-1] == "scores"


def test_labels_and_file_names_of_others_move_no_cursor(run, recording, tmp_path):
    hostile = tmp_path / "a\x1b[2Jb\nc\u202e.nwb"
    shutil.copy(recording, hostile)
    with h5py.File(hostile, "r+") as file:
        values = file["units/cell_type"].asstr()[:]
        values[:] = HOSTILE
        file["units/cell_type"][:] = values
    printed = [run("inspect", hostile), run("embed", hostile, "--encoder", "isi"), run("show", hostile)]
    printed += [run("embed", hostile, "--encoder", "isi", code=2), run("inspect", f"{hostile}x", code=2)]
    for done in printed:
        text = done.stdout + done.stderr
        assert text.replace("\n", "").isprintable()
        assert not [line for line in text.splitlines() if line.startswith(("c", "nwb-neurid: fine"))]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize(
    "words",
    [
        "simulate out.nwb --units 20 --duration 20",
        "demo --units 60 --duration 20 --output out",
        "embed sorting --encoder isi --stop 5 --output out.nwb",
    ],
)
def test_a_full_disk_is_one_line(tmp_path, words):
    sorting = tmp_path / "sorting"
    sorting.mkdir()
    np.save(sorting / "spike_times.npy", np.arange(0, 5000, 50))
    np.save(sorting / "spike_clusters.npy", np.arange(100) % 4)
    (sorting / "params.py").write_text("sample_rate = 1000.\n")

    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    command = [sys.executable, "-m", "nwb_neurid", *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert line.startswith("nwb-neurid: ")
    assert "out" in line
    assert "cannot be written: File too large" in line
    assert not list(tmp_path.rglob("*.nwb"))


def test_a_folder_that_cannot_be_written_to_is_one_line(run, tmp_path):
    (tmp_path / "file").touch()
    for command in (
        "simulate file/out.nwb",
        "demo --output file/demo",
        "simulate file/a --animals 2",
    ):
        (line,) = run(*command.split(), code=2).stderr.splitlines()
        assert line.startswith("nwb-neurid: ")
        assert "file" in line


@pytest.mark.parametrize("words", [["--format", "csv"], ["--format", "parquet"]])
def test_a_name_that_is_too_long_for_a_file_is_one_line(run, recording, sha256, words):
    before = sha256(recording)
    (line,) = run("embed", recording, "--encoder", "isi", "--name", "n" * 300, *words, code=2).stderr.splitlines()
    assert "File name too long" in line
    assert sha256(recording) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows ends a process of its own accord")
def test_ctrl_c_says_that_nothing_was_changed(recording, tmp_path, sha256):
    before = sha256(recording)
    (tmp_path / "sitecustomize.py").write_text(
        "import time\nfrom nwb_neurid.model.model import Model\n"
        "def embed(*_, **__):\n    print('embeds', flush=True)\n    time.sleep(60)\n"
        "Model.embed = embed\n"
    )
    words = [sys.executable, "-m", "nwb_neurid", "embed", str(recording), "--encoder", "isi"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr.readline() == "embeds\n"
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (printed, said) == ("", f"nwb-neurid: Interrupted. {recording} was not changed.\n")
    assert sha256(recording) == before

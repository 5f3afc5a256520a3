"""New plugins and the distribution of a stranger work once they are installed into a fresh environment."""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import nwb_neurid
from nwb_neurid import scaffold

pytest.importorskip("hatchling", reason="plugins are built with hatchling")

ROOT = Path(__file__).parents[2]
NEW = {"encoder": "made-numpy", "torch": "made-torch", "reader": "made-reader"}


def done(*words: object, cwd: Path, code: int = 0) -> str:
    """What a program prints that must end with this code."""
    found = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == code, found.stdout + found.stderr
    return found.stdout + found.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fresh")


def pip(*words: object, cwd: Path) -> None:
    """pip of here, which neither fetches anything nor builds in an environment of its own."""
    alone = ["--no-build-isolation", "--no-deps", "--no-index", "-q", "-c", ROOT / "constraints.txt"]
    done(sys.executable, "-m", "pip", "--disable-pip-version-check", *words, *alone, cwd=cwd)


@pytest.fixture(scope="module")
def python(folder) -> Path:
    """A fresh environment that sees what is installed here, with the example and new plugins installed into it."""
    environment = folder / "environment"
    done(sys.executable, "-m", "venv", "--without-pip", environment, cwd=folder)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = Path(done(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    here = sysconfig.get_path("purelib")
    (site / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n", "utf-8")
    pip("wheel", ROOT / "examples" / "third_party_encoder", "-w", folder / "dist", cwd=folder)
    (wheel,) = (folder / "dist").glob("neurid_acg3d-*.whl")
    new = [scaffold.write_package(template, name, folder) for template, name in NEW.items()]
    pip("--python", python, "install", wheel, *new, cwd=folder)
    return python


def test_all_of_them_are_listed_at_once(python, folder):
    said = done(python, "-m", "nwb_neurid", "plugins", cwd=folder)
    assert "warning" not in said
    assert "  acg3d 1 (neurid-acg3d 0.1.0): Autocorrelograms by firing rate" in said
    for name in NEW.values():
        assert f"  {name} 1 ({name} 0.1.0): " in said


def test_the_example_embeds(python, folder, recording):
    said = done(python, "-m", "nwb_neurid", "embed", recording, "--encoder", "acg3d", cwd=folder)
    assert "units embedded" in said
    (found,) = nwb_neurid.read_results(recording)
    assert found.name == "neurid_acg3d"
    assert found.embeddings.vectors.shape == (12, 160)
    assert (found.embeddings.reasons == "").sum() > 3


@pytest.mark.parametrize("tests", [*NEW.values(), ROOT / "examples" / "third_party_encoder"], ids=str)
def test_its_own_tests_pass(python, folder, tests):
    done(
        python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder / tests, folder / tests, cwd=folder
    )


def test_a_new_encoder_that_learns_is_trained_and_used(python, folder, recording):
    model = folder / "model"
    train = ["train", recording, "--encoder", "made-torch", "--preset", "small", "--steps", 3, "-o", model]
    done(python, "-m", "nwb_neurid", *train, cwd=folder)
    assert "12 of 12 units" in done(python, "-m", "nwb_neurid", "embed", recording, "--model", model, cwd=folder)


def test_a_new_reader_is_used_and_checked(python, folder):
    source = folder / "recording.made-reader.json"
    source.write_text('{"duration_s": 10, "units": {"a": [0.5, 1.5, 2.25], "b": [3.0, 4.0]}}', "utf-8")
    assert "2 units, 10 s observed" in done(python, "-m", "nwb_neurid", "inspect", source, cwd=folder)
    said = done(python, "-m", "nwb_neurid", "plugins", "check", "made-reader", "--source", source, cwd=folder)
    assert "11 rules: 11 passed, 0 failed, 0 skipped" in said


def test_a_model_of_an_encoder_that_is_not_installed_says_what_has_it(python, folder, recording, run):
    program = f"import nwb_neurid; nwb_neurid.new_model('acg3d').save({str(folder / 'acg')!r})"
    done(python, "-c", program, cwd=folder)
    said = run("embed", recording, "--model", folder / "acg", code=2).stderr
    assert "needs encoder 'acg3d', which comes with neurid-acg3d 0.1.0: install that." in said


@pytest.mark.parametrize("page", ["adding_an_encoder.md", "adding_a_reader.md"])
def test_the_first_commands_of_a_page_lead_to_a_plugin(python, tmp_path, page):
    text = (ROOT / "docs" / "howto" / page).read_text("utf-8")
    first = re.search(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    programs = {"nwb-neurid": [python, "-m", "nwb_neurid"], "pytest": [python, "-m", "pytest", "-q"]}
    commands = [shlex.split(line.removeprefix("$ ")) for line in first.splitlines()]
    assert commands[0] == ["pip", "install", "pytest"]  # is there
    for program, *words in commands[1:]:
        if program == "pip":
            pip("--python", python, *words, cwd=tmp_path)
        else:
            done(*programs[program], *words, cwd=tmp_path)

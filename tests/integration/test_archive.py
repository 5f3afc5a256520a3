"""Many recordings over workers, as a user runs them: one command, and again after what was wrong is mended."""

import json
import shutil

import pytest

from nwb_neurid.simulate import simulate, write_nwb

pytest.importorskip("distributed", reason="workers need nwb-neurid[cluster]")
pytest.importorskip("pyarrow", reason="datasets need nwb-neurid[parquet]")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return [write_nwb(simulate(14, 30.0, 0, animal=number), folder / f"{number}.nwb") for number in range(4)]


@pytest.fixture
def archive(made, tmp_path):
    for path in made:
        shutil.copy(path, tmp_path)
    return tmp_path


def test_failures_are_listed_at_the_end_and_the_next_call_goes_on(run, archive):
    shutil.copy(archive / "0.nwb", archive / "copy.nwb")
    (archive / "bad.nwb").write_text("no HDF5")
    words = ("embed", "--encoder", "isi", "--workers", 1, "--output", "vectors")
    names = ("0.nwb", "1.nwb", "copy.nwb", "bad.nwb", "gone.nwb")
    done = run(*words, *names, code=1)
    assert "copy.nwb: the same recording as 0.nwb" in done.stdout
    assert "2 of 5 recordings embedded, 28 units; 1 given twice; 2 failed" in done.stdout
    assert "Progress in a browser: http://127.0.0.1:" in done.stdout
    assert sorted(line.split()[1] for line in done.stderr.splitlines()) == ["bad.nwb", "gone.nwb"]
    shutil.copy(archive / "2.nwb", archive / "bad.nwb")
    again = run(*words, "0.nwb", "1.nwb", "bad.nwb", "--json")
    found = [json.loads(line) for line in again.stdout.splitlines()]
    assert {each["source"]: each["what"] for each in found} == {
        "0.nwb": "embedded earlier",
        "1.nwb": "embedded earlier",
        "bad.nwb": "embedded",
    }
    assert again.stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--memory", "8GB"), "--memory, --slurm-option, --time-limit and --manifest are for workers"),
        (("--workers", "1", "--output", "v", "--format", "csv"), "--output collects the vectors of all recordings"),
        (("--workers", "1", "--output", "v", "--report"), "so --report cannot write a page for each"),
        (
            ("--workers", "1", "--output", "0.nwb"),
            "0.nwb is a file. The vectors of several recordings go into a folder",
        ),
        (("--workers", "1", "--output", "."), "holds other files"),
        (("--workers", "1", "--time-limit", "soon"), "--time-limit must be a time such as 2h or 90m, got 'soon'"),
        (("--workers", "1", "--device", "tpu"), "device must be one of auto, cpu, cuda, got 'tpu'"),
    ],
)
def test_what_cannot_begin_is_one_line(run, archive, words, said):
    refused = run("embed", "0.nwb", *words, code=2)
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (archive / "v").exists()

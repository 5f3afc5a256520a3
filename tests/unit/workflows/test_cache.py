"""Binned recordings on disk: read once, checked, and made anew where they do not fit."""

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from nwb_neurid.contracts import ReadOptions, silent
from nwb_neurid.errors import CannotWrite, InvalidOption, Leak, NeuridWarning, SourceNotFound, UnreadableSource
from nwb_neurid.model.making import new_model
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows import cache as module
from nwb_neurid.workflows.cache import ABOUT, read_binned
from nwb_neurid.workflows.listing import expand
from nwb_neurid.workflows.train import train


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Recordings of two animals, in which a unit was not observed all the time."""
    folder = tmp_path_factory.mktemp("recordings")
    return [write_nwb(simulate(5, 24.0, 0, animal=at), folder / f"animal-{at}.nwb") for at in range(2)]


@pytest.fixture(scope="module")
def model():
    return new_model("nuclr", preset="small", untrained=True, device="cpu")


@pytest.fixture
def reads(monkeypatch):
    """The sources that are read."""
    found = []
    real = module.read_for

    def read(spec, reader, source, options):
        found.append(str(source))
        return real(spec, reader, source, options)

    monkeypatch.setattr(module, "read_for", read)
    return found


def fill(paths, model, folder, **options):
    return read_binned(paths, model, ReadOptions(), folder, progress=silent, **options)


def same(left, right):
    names = [*module.PLAIN, *module.ARRAYS]
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in names)


def test_each_recording_is_read_once_and_mapped_from_its_file(paths, model, tmp_path, reads):
    first, notes = fill(paths, model, tmp_path / "cache")
    again, _ = fill(paths, model, tmp_path / "cache")
    assert reads == [str(path) for path in paths]
    assert notes == []
    assert [part.subject_id for part in again] == ["simulated-0", "simulated-0-animal-1"]
    assert all(same(*pair) for pair in zip(first, again, strict=True))
    assert all(isinstance(part.values, np.memmap) for part in (*first, *again))
    assert sorted(path.name for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")) == []


def test_a_recording_that_changed_or_is_read_otherwise_is_read_anew(paths, model, tmp_path, reads):
    path = shutil.copy(paths[0], tmp_path / "copy.nwb")
    fill([path], model, tmp_path / "cache")
    shutil.copy(paths[1], path)
    (part,), _ = fill([path], model, tmp_path / "cache")
    assert part.subject_id == "simulated-0-animal-1"
    read_binned([path], model, ReadOptions(stop_s=22.0), tmp_path / "cache", progress=silent)
    other = new_model("neurpir", preset="small", untrained=True, device="cpu")
    fill([path], other, tmp_path / "cache")
    fill([path], model, tmp_path / "cache", pool_groups=True)
    assert len(reads) == 5
    assert len([*(tmp_path / "cache").iterdir()]) == 5


@pytest.mark.parametrize("damage", ["bytes", "missing", "short", "about", "pickle", "foreign"])
def test_what_is_damaged_is_made_anew(paths, model, tmp_path, reads, damage):
    (mapped,), _ = fill(paths[:1], model, tmp_path)
    whole = replace(mapped, values=mapped.values.copy(), runs=mapped.runs.copy())
    del mapped
    (entry,) = tmp_path.iterdir()
    values = entry / "0.values.npy"
    data = values.read_bytes()
    if damage == "bytes":
        values.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "missing":
        values.unlink()
    elif damage == "short":
        values.write_bytes(data[: len(data) // 2])
    elif damage == "about":
        (entry / ABOUT).write_text("{")
    elif damage == "pickle":
        np.save(values, np.array([{}], object), allow_pickle=True)
    else:
        told = json.loads((entry / ABOUT).read_text())
        (entry / ABOUT).write_text(json.dumps({**told, "key": {**told["key"], "digest": "elsewhere"}}))
    with pytest.warns(NeuridWarning, match=r"animal-0\.nwb .* are damaged, and are computed again"):
        (again,), _ = fill(paths[:1], model, tmp_path)
    assert same(whole, again)
    assert len(reads) == 2


def test_weights_are_those_of_a_training_without_a_cache(paths, tmp_path, reads):
    how = {"encoder": "nuclr", "preset": "small", "steps": 3, "device": "cpu"}
    told = []
    train(paths, tmp_path / "plain", **how)
    train(paths, tmp_path / "filled", **how, cache=tmp_path / "cache", tell=told.append)
    train(paths, tmp_path / "cached", **how, cache=tmp_path / "cache")
    plain, *others = (load_file(tmp_path / name / "weights.safetensors") for name in ("plain", "filled", "cached"))
    assert all(np.array_equal(plain[key], other[key]) for other in others for key in plain)
    assert told == ["2 populations, 0.00 GB of bins, in memory"]
    assert len(reads) == 2
    about = json.loads((tmp_path / "cached" / "model.json").read_text())["details"]
    assert about == json.loads((tmp_path / "plain" / "model.json").read_text())["details"] | {
        "seconds": about["seconds"]
    }


def test_several_processes_share_the_work(paths, model, tmp_path):
    script = (
        "import sys, nwb_neurid; from nwb_neurid.workflows.cache import read_binned\n"
        "from nwb_neurid.contracts import ReadOptions, silent; from nwb_neurid.model.making import new_model\n"
        "model = new_model('nuclr', preset='small', untrained=True, device='cpu')\n"
        "found, _ = read_binned(sys.argv[3:], model, ReadOptions(), __import__('pathlib').Path(sys.argv[1]),"
        " share=(int(sys.argv[2]), 2), progress=silent)\n"
        "print([part.subject_id for part in found])\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "cache")]
    both = [subprocess.Popen([*words, str(at), *map(str, paths)], stdout=subprocess.PIPE, text=True) for at in (0, 1)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == said[1] == "['simulated-0', 'simulated-0-animal-1']\n"
    assert len([*(tmp_path / "cache").iterdir()]) == 2


def test_objects_are_not_kept_and_files_must_be_there(model, tmp_path):
    found, _ = fill([simulate(5, 24.0, 0).population()], model, tmp_path)
    assert len(found) == 1
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(SourceNotFound):
        fill([tmp_path / "none.nwb"], model, tmp_path)


def test_an_encoder_that_trains_on_more_than_bins(paths, tmp_path):
    other = new_model("company", untrained=True, device="cpu")
    with pytest.raises(InvalidOption, match=r"does not train on binned activity alone.*cannot use --cache"):
        fill(paths[:1], other, tmp_path)


def test_one_recording_under_two_names(paths, model, tmp_path):
    other = shutil.copy(paths[0], tmp_path / "other.nwb")
    with pytest.raises(InvalidOption, match=r"other\.nwb is the recording .*animal-0\.nwb under another name"):
        fill([paths[0], other], model, tmp_path / "cache")


def test_a_cache_that_cannot_be_made(paths, model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="cannot be written"):
        fill(paths[:1], model, tmp_path / "file")


def test_a_list_of_recordings_and_their_splits(paths, tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(
        "source,split,subject\n"
        f"{paths[0]},train,simulated-0\nb.nwb,,\nhttps://host/c.nwb,Train,x\n{paths[1]},test,simulated-0-animal-1\n"
    )
    found = expand([table, "d.nwb"], ["y"])
    assert found.sources == (paths[0], tmp_path / "b.nwb", "https://host/c.nwb", "d.nwb")
    assert found.held_out == {"simulated-0-animal-1", "y"}


def test_the_manifest_of_an_archive(tmp_path):
    path = tmp_path / "manifest.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE recordings (key TEXT, source TEXT)")
        database.executemany("INSERT INTO recordings VALUES (?, ?)", [("1", "/a.nwb"), ("2", "/a.nwb"), ("3", "b.nwb")])
    database.close()
    assert [str(each) for each in expand([path]).sources] == ["/a.nwb", str(tmp_path / "b.nwb")]
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(UnreadableSource, match="cannot be read as the manifest"):
        expand([path])


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("path\na.nwb\n", InvalidOption, "a column source is needed, it has the columns path"),
        ("", InvalidOption, "it has no rows"),
        ("source,split\na.nwb,test\n", InvalidOption, "without a subject"),
        ("source,split,subject\na.nwb,test,A\n", InvalidOption, "The lists have no recording to train on"),
        ("source,split,subject\na.nwb,test,A\nb.nwb,train,A\n", Leak, "held-out subjects would be trained on: A"),
        (b"\xff\xff", UnreadableSource, "cannot be read as a list"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, text, error, message):
    path = tmp_path / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(error, match=message):
        expand([path])


def test_no_subject_that_is_held_out_trains(paths, tmp_path):
    how = {"encoder": "nuclr", "preset": "small", "steps": 1, "device": "cpu"}
    with pytest.raises(Leak, match="held-out subjects would be trained on: simulated-0-animal-1"):
        train(paths, tmp_path / "model", **how, held_out=["simulated-0-animal-1"], cache=tmp_path / "cache")
    assert not (tmp_path / "model").exists()


def test_units_that_were_not_observed_all_the_time_are_kept_so(model, tmp_path):
    from nwb_neurid.training.recording import bin_population
    from nwb_neurid.training.windows import WindowOptions

    whole = simulate(5, 24.0, 0).population()
    population = replace(
        whole,
        observed_s=np.array([[0.0, 12.0], [12.0, 24.0]]),
        unit_observed=np.array([[True, True]] * 4 + [[True, False]]),
    )
    part = bin_population(population, WindowOptions(bin_s=0.02, token_bins=25, tokens=4))
    about = module._write_part(tmp_path, 0, part)
    again = module._load_part(tmp_path, 0, json.loads(json.dumps(about)))
    assert same(part, again)
    assert again.missed[:, -1].tolist() == [0, 0, 0, 0, 1]

"""Files of every version that was released are read, and say what they said."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwb_neurid.writers.nwb.specification import load_specification
from nwb_neurid.writers.nwb.store import read, remove, write

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.nwb"))


@pytest.fixture(scope="module")
def made():
    """What the files were made from."""
    spec = importlib.util.spec_from_file_location("make", HERE / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(one, other):
    for name in one.__dataclass_fields__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
        else:
            assert mine == theirs, name


def test_this_version_has_its_files():
    """Run tests/back_compat/make.py, and keep what it makes."""
    names = {path.name for path in FILES if path.parent.name == load_specification().version}
    assert names == {"ndx.nwb", "core.nwb", "sidecar.nwb"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_says_what_it_said(path, made):
    ((name, embeddings, (predictions,)),) = read(path)
    assert name == "neurid_nuclr"
    assert_same(embeddings, made.embeddings())
    assert_same(predictions, made.predictions())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_can_be_replaced_and_removed(path, made, tmp_path):
    own = Path(shutil.copyfile(path, tmp_path / path.name))
    table = "processing/ecephys/neurons" if path.stem == "sidecar" else "units"
    write(own, made.embeddings(), overwrite=True, table=table)
    ((_, _, predictions),) = read(own)  # they are of the same vectors
    assert [each.label_name for each in predictions] == ["cell_type"]
    remove(own, "neurid_nuclr")
    with h5py.File(own) as file:
        assert "neurid_cell_type" not in file.get("units", [])
        assert "specifications/ndx-neurid" not in file


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_pynwb_reads_it(path):
    from pynwb import NWBHDF5IO, validate

    with NWBHDF5IO(path, "r") as io:
        table = io.read().processing["ecephys"]["neurid_nuclr_predictions_cell_type"]
        assert table["predicted_label"][:].tolist() == ["Pvalb", "", "Sst"]
    assert not validate(path=path)


def test_what_was_written_is_never_made_again():
    done = subprocess.run([sys.executable, HERE / "make.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "exists: what a version has written is never made again" in done.stderr

"""What stands in an HDF5 file comes out as plain NumPy or as one of our errors."""

import ast
from pathlib import Path

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers.nwb import hdf5 as module

BLOSC = 32001


@pytest.fixture
def root(opening):
    """A file with some objects, and links to none."""
    return opening(
        {
            "folder/@neurodata_type": "Folder",
            "folder/numbers": [1.0, 2.0, 3.0],
            "folder/deeper/text": "here",
            "nowhere": h5py.SoftLink("/not/there"),
            "elsewhere": h5py.ExternalLink("missing.h5", "/there"),
            "void": h5py.Empty("f8"),
            "type": np.dtype("f8"),
        }
    )


def unreadable(call, *arguments):
    with pytest.raises(UnreadableSource) as refused:
        call(*arguments)
    return str(refused.value)


def test_h5py_is_called_in_four_modules_alone():
    """Ask a `Group` or a `Dataset` instead: an exception of h5py would escape as one of Python's."""
    folder = Path(module.__file__).parent
    importing = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            importing |= {path.name for name in names if name.split(".")[0] == "h5py"}
    assert importing == {
        "file.py",
        "hdf5.py",
        "objects.py",
        "outside.py",
    }  # objects.py knows an open file


def test_paths_lead_to_groups_and_datasets(root):
    assert root.group("folder/deeper").path == "/folder/deeper"
    assert root.group("folder").group("deeper").where == f"{root.file}: /folder/deeper"
    assert root.dataset("folder/numbers").where == f"{root.file}: /folder/numbers"
    assert root.group("folder").dataset("deeper/text").texts().item() == "here"
    assert [group.path for group in root.groups()] == ["/folder"]


@pytest.mark.parametrize(
    "path", ["missing", "missing/below", "folder/numbers/below", "nowhere", "elsewhere", "void", "type"]
)
def test_what_is_not_there_is_nothing(root, path):
    assert root.group(path) is None
    assert root.dataset(path) is None


def test_a_group_is_no_dataset_and_a_dataset_no_group(root):
    assert root.dataset("folder") is None
    assert root.group("folder/numbers") is None


def test_a_link_to_itself_is_damage(opening):
    root = opening({"round": h5py.SoftLink("/round")})
    message = unreadable(root.dataset, "round")
    assert message.startswith(f"{root.file}: /round is damaged: ")
    assert message.endswith(". Validate the file, or fetch it again.")


def test_a_damaged_object_is_not_taken_for_a_missing_one(hdf5, sound, read):
    path = hdf5(sound)
    with h5py.File(path) as file:
        header = h5py.h5o.get_info(file["units/obs_intervals"].id).addr
    data = bytearray(path.read_bytes())
    data[header : header + 4] = b"\xff" * 4
    path.write_bytes(data)
    message = unreadable(read, path)
    assert message.startswith(f"{path}: /units/obs_intervals is damaged: ")


def test_names_that_are_no_utf8_are_left_out(hdf5):
    with h5py.File(hdf5({"tea/x": 1}), "r+") as file:
        h5py.h5g.create(file.id, b"caf\xe9")
        assert module.Hdf5Group(file, "recording.nwb").names() == ["tea"]


@pytest.mark.parametrize(("stored", "text"), [("Units", "Units"), (np.bytes_(b"Units"), "Units"), (None, None)])
def test_attributes_of_groups_come_as_text(opening, stored, text):
    assert opening({"group/x": 1, "group@name": stored}).group("group").attribute("name") == text


@pytest.mark.parametrize("stored", [3, [1.0, 2.0], ["a", "b"], b"caf\xe9", h5py.Empty("f8")])
def test_attributes_that_are_no_text_are_no_name_of_anything(opening, stored):
    assert opening({"group/x": 1, "group@name": stored}).group("group").attribute("name") != "Units"


@pytest.mark.parametrize(
    ("stored", "number"),
    [(2, 2.0), (0.5, 0.5), ([0.5], 0.5), (True, 1.0), ([1, 2], None), ("fast", None), (1j, None), (None, None)],
)
def test_attributes_of_datasets_come_as_numbers(opening, stored, number):
    assert opening({"x": 1, "x@rate": stored}).dataset("x").attribute("rate") == number


def test_an_attribute_without_a_value_is_none(opening):
    root = opening({"x": 1, "x@rate": h5py.Empty("f8"), "g/y": 1, "g@neurodata_type": h5py.Empty("S1")})
    assert root.dataset("x").attribute("rate") is None


def test_numbers_come_whole_or_by_rows(opening):
    dataset = opening({"x": np.arange(6.0).reshape(3, 2)}).dataset("x")
    assert (len(dataset), dataset.shape) == (3, (3, 2))
    np.testing.assert_array_equal(dataset.numbers(), [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(dataset.numbers(slice(1, 9)), [[2, 3], [4, 5]])
    np.testing.assert_array_equal(dataset.numbers((slice(1, 3), slice(0, 1))), [[2], [4]])


def test_a_column_has_one_number_in_a_row(opening):
    dataset = opening({"x": np.arange(6.0).reshape(3, 2)}).dataset("x")
    with pytest.raises(InvalidSource) as refused:
        dataset.column()
    assert str(refused.value) == (
        f"{dataset.where} must have one element per row, its shape is (3, 2). Validate the file."
    )


def test_a_single_number_has_no_rows(opening):
    dataset = opening({"x": 4.0}).dataset("x")
    assert (len(dataset), dataset.shape) == (0, ())
    assert dataset.numbers() == 4.0
    assert dataset.column().tolist() == [4.0]


def test_truth_values_are_numbers(opening):
    assert opening({"x": [True, False]}).dataset("x").integers().tolist() == [1, 0]


def test_types_that_numpy_lacks_are_no_numbers_and_no_text(hdf5, sound, read):
    path = hdf5(sound)
    with h5py.File(path, "r+") as file:
        h5py.h5d.create(file["units"].id, b"seen_at", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((4,)))
    assert len(read(path)) == 4


@pytest.mark.skipif(h5py.h5z.filter_avail(BLOSC), reason="Blosc is installed")
def test_a_missing_filter_is_named(hdf5, sound, read):
    path = hdf5({**sound, "units/spike_times": None})
    with h5py.File(path, "r+") as file:
        made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        made.set_chunk((6,))
        made.set_filter(BLOSC, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((6,))
        dataset = h5py.h5d.create(file["units"].id, b"spike_times", h5py.h5t.IEEE_F64LE, space, made)
        h5py.Dataset(dataset).id.write_direct_chunk((0,), b"packed", 0)
    assert unreadable(read, path) == (
        f"{path}: /units/spike_times is compressed with {BLOSC}, which is not installed. Install hdf5plugin and set "
        "HDF5_PLUGIN_PATH to its folder of plugins."
    )


def test_what_claims_more_than_a_chunk_can_hold_is_damage(opening):
    claims = {"shape": (2**44,), "dtype": "f8", "chunks": (1000,)}
    dataset = opening({"x": claims}).dataset("x")
    assert unreadable(dataset.numbers) == (
        f"{dataset.where} is damaged: it has 0 bytes, but its shape needs {2**47}. Validate the file, or fetch "
        "it again."
    )


def test_a_column_that_compresses_well_is_read(opening, monkeypatch):
    monkeypatch.setattr("nwb_neurid.readers.expansion.ALWAYS_READ_BYTES", 0)
    zeros = {"data": np.zeros(2**18), "compression": "gzip", "compression_opts": 9, "chunks": (2**18,)}
    assert not opening({"x": zeros}).dataset("x").numbers().any()


def test_a_virtual_dataset_holds_its_bytes_elsewhere(hdf5, monkeypatch):
    monkeypatch.setattr("nwb_neurid.readers.expansion.ALWAYS_READ_BYTES", 0)
    source = hdf5({"x": [1.0, 2.0]}, "source.h5")
    layout = h5py.VirtualLayout((2,), "f8")
    layout[:] = h5py.VirtualSource(source, "x", (2,))
    with h5py.File(hdf5({}, "virtual.h5"), "r+") as file:
        file.create_virtual_dataset("x", layout)
        assert module.Hdf5Group(file, "virtual.h5").dataset("x").numbers().tolist() == [1, 2]


def test_references_are_told_by_the_names_of_what_they_lead_to(hdf5):
    path = hdf5({"groups/left/x": 1, "groups/right/x": 1})
    with h5py.File(path, "r+") as file:
        left, right = (file[f"groups/{name}"].ref for name in ("left", "right"))
        file.create_dataset("x", data=[right, left, h5py.Reference(), right], dtype=h5py.ref_dtype)
        dataset = module.Hdf5Group(file, str(path)).dataset("x")
        assert dataset.is_reference
        assert dataset.referred() == ["right", "left", "", "right"]


def test_a_reference_to_what_was_unlinked_leads_to_no_name(hdf5):
    path = hdf5({"gone/x": 1})
    with h5py.File(path, "r+") as file:
        file.create_dataset("x", data=[file["gone"].ref], dtype=h5py.ref_dtype)
        del file["gone"]
    with h5py.File(path) as file:
        assert module.Hdf5Group(file, str(path)).dataset("x").referred() == [""]


def test_a_reference_to_bytes_that_are_no_object_is_damage(hdf5):
    path = hdf5({"gone/x": 1})
    with h5py.File(path, "r+") as file:
        file.create_dataset("x", data=[file["gone"].ref], dtype=h5py.ref_dtype)
        header = h5py.h5o.get_info(file["gone"].id).addr
    data = bytearray(path.read_bytes())
    data[header : header + 16] = b"\xff" * 16
    path.write_bytes(data)
    with h5py.File(path) as file:
        message = unreadable(module.Hdf5Group(file, str(path)).dataset("x").referred)
    assert message.startswith(f"{path}: /x is damaged: ")


def test_an_array_too_large_for_the_memory_is_damage(opening, monkeypatch):
    dataset = opening({"x": [1.0]}).dataset("x")

    def full(*_, **__):
        raise MemoryError("Unable to allocate 1.07 PiB")

    monkeypatch.setattr(h5py.Dataset, "__getitem__", full)
    assert unreadable(dataset.numbers) == (
        f"{dataset.where} is damaged: Unable to allocate 1.07 PiB. Validate the file, or fetch it again."
    )

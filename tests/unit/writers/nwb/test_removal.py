"""What was written is taken out again, with the room that it took, and nothing else."""

import errno
import os
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, NeuridWarning, NoResults, SourceNotFound
from nwb_neurid.writers.nwb import removal
from nwb_neurid.writers.nwb.removal import are_same, copy_without
from nwb_neurid.writers.nwb.store import read, remove, write


def names(path):
    return sorted(other.name for other in path.parent.iterdir())


@pytest.mark.parametrize("extension", [False, True])
def test_the_file_is_as_it_was(
    recording, cells, with_other_extension, embeddings, predictions, cell_embeddings, everything, extension
):
    if extension:
        with_other_extension(recording)
    before, size, mode = everything(recording), recording.stat().st_size, recording.stat().st_mode
    write(recording, embeddings, [predictions], units_columns=True)
    write(recording, cell_embeddings, table=cells)
    assert remove(recording, "neurid_nuclr") == recording
    assert [found.name for found in read(recording)] == ["neurid_isi"]
    remove(recording, "neurid_isi")
    after = everything(recording)
    assert after == before
    assert recording.stat().st_size <= size
    assert recording.stat().st_mode == mode
    assert names(recording) == ["recording.nwb"]


def test_references_still_lead_where_they_led(rich, embeddings, everything, tmp_path):
    from pynwb import NWBHDF5IO, validate

    before = everything(rich)
    write(rich, embeddings)
    remove(rich, "neurid_nuclr", output=tmp_path / "without.nwb")
    assert everything(tmp_path / "without.nwb") == before
    assert not validate(path=tmp_path / "without.nwb")
    with NWBHDF5IO(tmp_path / "without.nwb", "r") as io:
        nwbfile = io.read()
        assert nwbfile.trials["timeseries"][2][0].timeseries is nwbfile.acquisition["series"]
        assert nwbfile.units["electrodes"][1].index.tolist() == [0, 1]
        assert nwbfile.units["electrode_group"][0] is nwbfile.electrode_groups["probe"]
    write(tmp_path / "without.nwb", embeddings)


def test_room_is_given_back_where_results_lie_between_others(recording, embeddings):
    wide = np.full((6, 50_000), np.float32(1)) * embeddings.vectors[:, :1]  # the silent unit keeps its NaN
    large = replace(embeddings, vectors=wide)
    before = recording.stat().st_size
    write(recording, large, name="large")
    write(recording, embeddings, name="small")
    assert recording.stat().st_size > before + 1_000_000
    remove(recording, "large")
    assert recording.stat().st_size < before + 100_000
    assert [found.name for found in read(recording)] == ["small"]


def test_names_that_are_not_there(recording, embeddings, unchanged):
    with unchanged(recording), pytest.raises(NoResults, match="holds no results of nwb-neurid"):
        remove(recording, "x")
    write(recording, embeddings)
    with unchanged(recording), pytest.raises(NoResults, match=r"no results called 'x'\. It has: neurid_nuclr\."):
        remove(recording, "x")
    with pytest.raises(SourceNotFound, match="does not exist"):
        remove(recording.with_name("missing.nwb"), "x")


def test_output_elsewhere(recording, embeddings, tmp_path, unchanged):
    write(recording, embeddings)
    output = tmp_path / "without.nwb"
    with unchanged(recording):
        assert remove(recording, "neurid_nuclr", output=output) == output
        with pytest.raises(CannotWrite, match=r"without\.nwb exists\. Replace it \(--overwrite\)"):
            remove(recording, "neurid_nuclr", output=output)
    assert output.exists()


def test_a_full_disk_leaves_everything(recording, embeddings, unchanged, monkeypatch):
    write(recording, embeddings)

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(removal, "_copy_group", fail)
    monkeypatch.setattr(removal, "copy_file", fail)
    said = rf"recording\.nwb cannot be written: {os.strerror(errno.ENOSPC)}"
    with unchanged(recording), pytest.raises(CannotWrite, match=said):
        remove(recording, "neurid_nuclr")


def user_block(path):
    shutil.copy(path, path.with_name("old.nwb"))
    with h5py.File(path.with_name("old.nwb")) as old, h5py.File(path, "w", userblock_size=512) as new:
        for name in old:
            old.copy(name, new)
        new.attrs.update({key: value for key, value in old.attrs.items() if key != ".specloc"})
        new.attrs[".specloc"] = new["specifications"].ref
        new["units/spike_times_index"].attrs["target"] = new["units/spike_times"].ref
    path.with_name("old.nwb").unlink()


def region(path):
    with h5py.File(path, "r+") as file:
        file["acquisition/region"] = file["units/id"].regionref[1:3]


def list_of_references(path):
    with h5py.File(path, "r+") as file:
        lists = file.create_dataset("acquisition/lists", (1,), h5py.vlen_dtype(h5py.ref_dtype))
        lists[0] = np.array([file["units"].ref], h5py.ref_dtype)


def reference_to_nothing(path):
    with h5py.File(path, "r+") as file:
        file["acquisition/gone"] = 1
        file["acquisition"].attrs["gone"] = file["acquisition/gone"].ref
        del file["acquisition/gone"]


@pytest.mark.parametrize("odd", [user_block, region, list_of_references, reference_to_nothing])
def test_what_cannot_be_copied_keeps_its_room(recording, embeddings, odd):
    odd(recording)
    with h5py.File(recording) as file:
        ids, places = file["units/id"][:].tolist(), []
        file.visit(places.append)
    write(recording, embeddings)
    said = r"recording\.nwb: neurid_nuclr was removed, but its disk space could not be freed\."
    with pytest.warns(NeuridWarning, match=said):
        remove(recording, "neurid_nuclr")
    with h5py.File(recording) as file:
        left = []
        file.visit(left.append)
        assert (file["units/id"][:].tolist(), left) == (ids, places)
    with pytest.raises(NoResults):
        read(recording)


def damage_values(new):
    new["units/spike_times"][3] += 1


def damage_attribute(new):
    new["units"].attrs["description"] = "others"


def damage_reference(new):
    new["units/spike_times_index"].attrs["target"] = new["units/id"].ref


def damage_link(new):
    del new["units/cell_type"]
    new["units/cell_type"] = h5py.SoftLink("/units/id")


def damage_shape(new):
    new["units/spike_times"].resize((10,))


def add_object(new):
    new["more"] = 1


@pytest.mark.parametrize(
    "damage", [damage_values, damage_attribute, damage_reference, damage_link, damage_shape, add_object]
)
def test_the_copy_is_compared_before_it_is_used(recording, embeddings, everything, monkeypatch, damage):
    before = everything(recording)
    write(recording, embeddings)
    copy, inner = recording.with_name("copy.nwb"), removal._set_references
    assert copy_without(recording, copy, "neurid_nuclr")
    copy.unlink()

    def damaged(item, new):
        inner(item, new)
        if new.name == "/units/spike_times_index":
            damage(new.file)

    monkeypatch.setattr(removal, "_set_references", damaged)
    assert not copy_without(recording, copy, "neurid_nuclr")
    assert everything(copy) == before


def test_all_kinds_of_links_types_and_data_are_copied(recording, embeddings):
    with h5py.File(recording, "r+") as file:
        group = file.create_group("acquisition/odd", track_order=True)
        group["twice"] = np.arange(3)
        group["same"] = group["twice"]
        group["soft"] = h5py.SoftLink("/nowhere")
        group["external"] = h5py.ExternalLink("other.h5", "/x")
        group["type"] = np.dtype("f8")
        group["empty"] = h5py.Empty("f4")
        group["nothing"] = np.zeros((0, 3))
        group["scalar"] = 5
        group["compound"] = np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")])
        lists = group.create_dataset("lists", (2,), h5py.vlen_dtype("i4"))
        lists[0], lists[1] = [1, 2], []
        group.create_dataset("packed", data=np.zeros((500, 70)), chunks=(7, 9), compression="gzip", shuffle=True)
        group.create_dataset("references", data=[file["units"].ref, h5py.Reference()], dtype=h5py.ref_dtype)
        group.attrs["none"] = h5py.Empty("f4")
        group.attrs["references"] = np.array([file["units"].ref], h5py.ref_dtype)
    write(recording, embeddings)
    copy = recording.with_name("copy.nwb")
    assert copy_without(recording, copy, "neurid_nuclr")
    with h5py.File(copy) as file:
        odd = file["acquisition/odd"]
        assert odd["twice"] == odd["same"]
        assert odd.get("external", getlink=True).filename == "other.h5"
        assert file[odd["references"][0]].name == file[odd.attrs["references"][0]].name == "/units"
        assert not odd["references"][1]
        assert odd["packed"].compression == "gzip"
        assert [part.tolist() for part in odd["lists"][:]] == [[1, 2], []]


def test_large_data_are_compared_block_by_block(recording, monkeypatch):
    monkeypatch.setattr(removal, "BLOCK_ELEMENTS", 10)
    with h5py.File(recording, "r+") as file:
        file["acquisition/wide"] = np.arange(7 * 23).reshape(7, 23)
        file.create_dataset("acquisition/chunked", data=np.arange(7 * 23).reshape(7, 23), chunks=(3, 4))
    copy = shutil.copy(recording, recording.with_name("copy.nwb"))
    with h5py.File(recording) as one, h5py.File(copy) as other:
        assert are_same(one, other)
    for name in ("wide", "chunked"):
        with h5py.File(copy, "r+") as file:
            file[f"acquisition/{name}"][6, 22] = -1
        with h5py.File(recording) as one, h5py.File(copy) as other:
            assert not are_same(one, other)
        with h5py.File(copy, "r+") as file:
            file[f"acquisition/{name}"][6, 22] = 7 * 23 - 1

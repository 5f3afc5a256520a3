"""A copy in another folder tells of links that lead nowhere from there."""

import json
import shutil

import h5py
import pytest

from nwb_neurid.errors import CannotWrite, NeuridWarning
from nwb_neurid.writers.nwb.links import locate, own_group, own_item
from nwb_neurid.writers.nwb.store import read_results, remove, write

SAID = (
    r"there/recording\.nwb.* has links to .*raw\.nwb.*, which lead nowhere from its folder\. Put those files there too"
)


@pytest.fixture
def there(tmp_path):
    """Another folder."""
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


def test_links_out_of_a_file(recording, there, embeddings):
    with h5py.File(recording, "r+") as file:
        file["acquisition/raw"] = h5py.ExternalLink("raw.nwb", "/acquisition/raw")
        file["acquisition/same"] = h5py.SoftLink("/units")
        file["acquisition/gone"] = h5py.ExternalLink("gone.nwb", "/acquisition/raw")
    raw = recording.with_name("raw.nwb")
    with h5py.File(raw, "w") as file:
        file["acquisition/raw"] = [1.0]
    with pytest.warns(NeuridWarning, match=SAID) as told:
        write(recording, embeddings, output=there / "recording.nwb")
    assert "gone.nwb" not in str(told[0].message)  # it leads nowhere from where it is
    write(recording, embeddings, output=recording.with_name("beside.nwb"))
    write(recording, embeddings)
    shutil.copy(raw, there)
    write(recording, embeddings, output=there / "recording.nwb", overwrite=True, name="second")


def test_links_out_of_a_zarr_folder(recording, there, as_zarr, embeddings):
    folder = as_zarr(recording, consolidated=False)
    raw = shutil.copytree(folder, folder.with_name("raw.nwb.zarr"))
    attributes = folder / "acquisition" / ".zattrs"
    known = json.loads(attributes.read_text()) if attributes.exists() else {}
    links = [{"name": "raw", "path": "/units", "source": "../raw.nwb.zarr"}]
    attributes.write_text(json.dumps({**known, "zarr_link": links}))
    with pytest.warns(NeuridWarning, match=SAID):
        write(folder, embeddings, output=there / "recording.nwb.zarr")
    shutil.copytree(raw, there / "raw.nwb.zarr")
    write(folder, embeddings, output=there / "recording.nwb.zarr", overwrite=True)


@pytest.mark.parametrize("where", ["units", "processing/ecephys", "processing"])
@pytest.mark.parametrize("symbolic", [False, True], ids=["zarr_link", "symbolic link"])
def test_a_zarr_folder_that_links_to_another_gets_a_sidecar(recording, as_zarr, embeddings, where, symbolic):
    with h5py.File(recording, "r+") as file:
        file.require_group("processing/ecephys")
    folder = as_zarr(recording, consolidated=False)
    other = shutil.copytree(folder, folder.with_name("other.nwb.zarr"))
    shutil.rmtree(folder / where)
    parent, _, name = where.rpartition("/")
    if symbolic:
        (folder / where).symlink_to(other / where)
    else:
        attributes = folder / parent / ".zattrs"
        known = json.loads(attributes.read_text()) if attributes.exists() else {}
        links = [{"name": name, "path": f"/{where}", "source": "../other.nwb.zarr"}]
        attributes.write_text(json.dumps({**known, "zarr_link": links}))
    before = contents(folder), contents(other)
    with pytest.warns(NeuridWarning, match=r"takes /\S+ from \S+other\.nwb\.zarr\S* by a link, .* never changed"):
        path = write(folder, embeddings)
    assert (contents(folder), contents(other)) == before
    assert len(read_results(path)) == 1


def contents(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_results_in_another_zarr_folder_are_not_removed(recording, as_zarr, embeddings):
    folder = as_zarr(recording, consolidated=False)
    other = shutil.copytree(folder, folder.with_name("other.nwb.zarr"))
    write(other, embeddings)
    shutil.rmtree(folder / "processing")
    known = json.loads((folder / ".zattrs").read_text())
    links = [{"name": "processing", "path": "/processing", "source": "../other.nwb.zarr"}]
    (folder / ".zattrs").write_text(json.dumps({**known, "zarr_link": links}))
    before = contents(folder), contents(other)
    (found,) = read_results(folder)
    with pytest.raises(CannotWrite, match=f"{found.name} is in another file"):
        remove(folder, found.name)
    assert (contents(folder), contents(other)) == before


def test_where_a_path_leads(tmp_path):
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file["group/numbers"] = [1.0]
        file["group/relative"] = h5py.SoftLink("numbers")
        file["absolute"] = h5py.SoftLink("/group")
        file["out"] = h5py.ExternalLink("other.h5", "/")
        file["group/soft out"] = h5py.SoftLink("/out/there")
        file["loop"] = h5py.SoftLink("/loop")
        group, numbers = file["group"], file["group/numbers"]
        assert locate(file, "/") == (file["/"], "")
        assert own_item(file, "group/relative") == own_item(group, "/absolute/numbers") == numbers
        assert own_group(group, "/absolute") == group
        assert own_group(file, "group/numbers") is None
        assert locate(file, "out/any") == locate(group, "soft out/below") == (None, "other.h5")
        for nowhere in ("none", "group/numbers/below", "loop"):
            assert locate(file, nowhere) == (None, "")

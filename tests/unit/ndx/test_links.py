"""A copy in another folder tells of links that lead nowhere from there."""

import json
import shutil

import h5py
import pytest

from nwb_neurid.errors import NeuridWarning
from nwb_neurid.ndx.store import write

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

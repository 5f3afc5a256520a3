"""A copy in another folder tells of links that lead nowhere from there."""

import shutil

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import NeuridWarning
from nwb_neurid.writers.nwb.links import find_own, find_own_group, locate
from nwb_neurid.writers.nwb.store import remove, write

SAID = (
    r"there/recording\.nwb.* would need .*raw\.nwb.*, which cannot be found from its folder\. Put those files there too"
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


def test_data_in_other_files(recording, there, embeddings):
    """A copy in another folder says that it lacks them; removing results copies what names them, not them."""
    recording.with_name("raw.bin").write_bytes(np.arange(4.0).tobytes())
    with h5py.File(recording.with_name("more.h5"), "w") as file:
        file["more"] = np.arange(3.0)
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("more.h5", "more", (3,))
    with h5py.File(recording, "r+") as file:
        file.create_dataset("scratch/raw", (4,), "f8", external=[("raw.bin", 0, h5py.h5f.UNLIMITED)])
        file.create_virtual_dataset("scratch/more", layout)
    with pytest.warns(NeuridWarning, match=r"would need more\.h5, raw\.bin, which cannot be found from its folder"):
        write(recording, embeddings, output=there / "recording.nwb")
    write(recording, embeddings)
    with pytest.warns(NeuridWarning, match="its disk space could not be freed"):
        remove(recording, "neurid_nuclr")
    with h5py.File(recording) as file:
        assert file["scratch/raw"].external[0][0] == "raw.bin"
        assert file["scratch/more"].is_virtual


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
        assert find_own(file, "group/relative") == find_own(group, "/absolute/numbers") == numbers
        assert find_own_group(group, "/absolute") == group
        assert find_own_group(file, "group/numbers") is None
        assert locate(file, "out/any") == locate(group, "soft out/below") == (None, "other.h5")
        for nowhere in ("none", "group/numbers/below", "loop"):
            assert locate(file, nowhere) == (None, "")

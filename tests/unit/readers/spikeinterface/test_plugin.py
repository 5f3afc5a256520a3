import subprocess
import sys

import pytest

from nwb_neurid.contracts import CONTRACT, ReaderPlugin
from nwb_neurid.readers.spikeinterface import PLUGIN


def test_the_plugin_says_what_it_is():
    assert isinstance(PLUGIN, ReaderPlugin)
    assert (PLUGIN.spec.name, PLUGIN.spec.contract, PLUGIN.spec.options) == (
        "spikeinterface",
        CONTRACT,
        {"rate_hz", "where"},
    )


@pytest.mark.parametrize(
    "source", ["", ".", "nowhere", "a.nwb", "\0", "x" * 5000, None, 3, b"sorting", [], object(), int, {"unit_ids": []}]
)
def test_what_is_something_else_is_not_recognised(source):
    assert not PLUGIN.recognises(source)


@pytest.mark.parametrize(
    "files", [["spike_times.npy"], ["params.py"], ["si_folder.json"], ["spikeinterface_info.json"], [".zgroup"]]
)
def test_a_folder_needs_all_that_marks_a_sorting(tmp_path, files):
    for name in files:
        (tmp_path / name).write_bytes(b"")
    assert not PLUGIN.recognises(tmp_path)


def test_a_class_of_that_name_from_elsewhere_is_not_recognised():
    class BaseSorting:
        pass

    assert not PLUGIN.recognises(BaseSorting())


def test_folders_are_read_without_the_libraries(numpy_folder, phy_folder):
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from nwb_neurid.contracts import ReadOptions\nfrom nwb_neurid.readers.spikeinterface import PLUGIN\n"
        "for source in sys.argv[1:] + [object()]:\n"
        "    if PLUGIN.recognises(source): print(len(PLUGIN.read(source, ReadOptions())))\n"
        "print(*{'spikeinterface', 'zarr', 'neo', 'h5py'} & set(sys.modules))\n"
    )
    paths = [str(numpy_folder()), str(phy_folder())]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "3"]

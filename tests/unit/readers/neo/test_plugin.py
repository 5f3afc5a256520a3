import subprocess
import sys

import pytest

from nwb_neurid.contracts import CONTRACT, ReaderPlugin
from nwb_neurid.readers.neo import PLUGIN


def test_the_plugin_says_what_it_is():
    assert isinstance(PLUGIN, ReaderPlugin)
    assert (PLUGIN.spec.name, PLUGIN.spec.contract, PLUGIN.spec.options) == ("neo", CONTRACT, {"where"})


@pytest.mark.parametrize(
    "source", ["", ".", "a.nwb", "\0", "x" * 5000, None, 3, b"a.plx", [], [1], (None,), object(), int]
)
def test_what_is_something_else_is_not_recognised(source):
    assert not PLUGIN.recognises(source)


def test_a_class_of_that_name_from_elsewhere_is_not_recognised():
    class Block:
        segments = ()

    assert not PLUGIN.recognises(Block())
    assert not PLUGIN.recognises([Block()])


def test_recognising_imports_nothing():
    code = (
        "import sys\nfrom nwb_neurid.readers.neo import PLUGIN\n"
        "PLUGIN.recognises('a.plx'), PLUGIN.recognises(object()), PLUGIN.recognises([1]), PLUGIN.recognises('.')\n"
        "print(*{'spikeinterface', 'quantities', 'neo', 'h5py'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

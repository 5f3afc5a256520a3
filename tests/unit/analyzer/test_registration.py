"""How SpikeInterface comes to know the extensions, and what it does where it does not."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import DuplicatePlugin, InvalidOption

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

from nwb_neurid.analyzer import embeddings as module  # noqa: E402
from nwb_neurid.analyzer.extension import NeuridExtension, register  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*not serializable:UserWarning")

NAME = "neurid_embeddings"


def in_a_fresh_process(code, *words):
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


LATE_IMPORT = """
import sys
import spikeinterface.core as si

analyzer = si.load_sorting_analyzer(sys.argv[1])
print(NAME in analyzer.get_loaded_extension_names())
copy = analyzer.save_as(format="memory")
print(copy.has_extension(NAME))
import nwb_neurid.analyzer
print(analyzer.get_extension(NAME).get_data().tobytes().hex())
print(analyzer.save_as(format="memory").has_extension(NAME))
"""


def test_a_process_that_has_not_imported_us_keeps_what_is_saved(saved_analyzer):
    vectors = saved_analyzer.compute(NAME, encoder="isi").get_data()
    code = LATE_IMPORT.replace("NAME", repr(NAME))
    loaded, kept, bits, kept_later = in_a_fresh_process(code, saved_analyzer.folder)
    assert (loaded, kept) == ("False", "False")  # SpikeInterface alone leaves it out
    assert bytes.fromhex(bits) == vectors.tobytes()
    assert kept_later == "True"


def test_our_loader_needs_no_other_import(saved_analyzer):
    vectors = saved_analyzer.compute(NAME, encoder="isi").get_data()
    code = f"import sys, nwb_neurid; analyzer = nwb_neurid.load_analyzer(sys.argv[1]); copy = analyzer.save_as(); \
        print(copy.get_extension({NAME!r}).get_data().tobytes().hex())"
    assert bytes.fromhex(in_a_fresh_process(code, saved_analyzer.folder)[0]) == vectors.tobytes()


def test_registering_needs_no_other_part_of_spikeinterface():
    code = "import sys, nwb_neurid.analyzer; print('spikeinterface.postprocessing' in sys.modules)"
    assert in_a_fresh_process(code) == ["False"]


def test_a_parent_that_is_computed_again_deletes_nothing(make_analyzer):
    analyzer = make_analyzer()
    before = analyzer.compute(NAME, encoder="isi")
    analyzer.compute(["random_spikes", "waveforms", "templates"], progress_bar=False)
    analyzer.compute("random_spikes", seed=1)
    assert not analyzer.has_extension("templates")
    assert analyzer.get_extension(NAME) is before


def test_reloading_the_module_does_no_harm(analyzer):
    before = analyzer.compute(NAME, encoder="isi").get_data()
    importlib.reload(importlib.import_module("nwb_neurid.analyzer"))
    importlib.reload(module)
    np.testing.assert_array_equal(analyzer.compute(NAME, encoder="isi").get_data(), before)


def test_another_package_with_the_name_is_told(analyzer):
    taken = type("ComputeIsi", (NeuridExtension,), {"extension_name": "isi_histograms", "depend_on": []})
    with pytest.raises(
        DuplicatePlugin, match="SpikeInterface already has an extension 'isi_histograms', defined by spikeinterf"
    ):
        register(taken)


def test_without_spikeinterface_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for name in [name for name in sys.modules if name.startswith("nwb_neurid.analyzer")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InvalidOption, match=r"needs SpikeInterface\. Install it: pip install spikeinterface"):
        importlib.import_module("nwb_neurid.analyzer")
    assert "load_analyzer" in nwb_neurid.__all__

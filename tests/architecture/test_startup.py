"""What a fresh interpreter loads. A failure names the module that came along."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "pynwb", "hdmf", "h5py", "neo", "zarr", "spikeinterface", "sklearn", "scipy", "pandas", "matplotlib"}


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after `code`."""
    code += "\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import nwb_neurid",
        "import nwb_neurid.contracts",
        "import nwb_neurid.cli",
        "from nwb_neurid import registry; list(registry.encoders()); list(registry.readers())",
    ],
)
def test_starting_is_cheap(code):
    """Import a heavy library inside the function that uses it; `python -X importtime` shows who loads it."""
    assert loaded_after(code) & HEAVY == set()


def test_listing_plugins_imports_none(plugins):
    """A registry lists the names of entry points; only `load` may import one."""
    code = "from nwb_neurid import registry; list(registry.encoders()); list(registry.readers())"
    assert loaded_after(code) & set(plugins) == set()


def test_describing_an_encoder_imports_no_framework(plugins):
    """A plugin's module builds its spec from plain values; what needs torch is imported when it is built."""
    assert loaded_after("\n".join(f"import {name}" for name in plugins)) & HEAVY == set()


def test_a_head_of_an_encoder_without_weights_needs_no_torch(tmp_path):
    """Fitting, saving, loading and predicting are NumPy, SciPy and scikit-learn; who brings torch imports it inside."""
    code = f"""
import warnings, nwb_neurid
from nwb_neurid.simulate import simulate
warnings.simplefilter("ignore")
animals = [simulate(units=14, duration_s=10.0, animal=number).population() for number in range(3)]
nwb_neurid.fit_labels("isi", animals, label="cell_type").save({str(tmp_path / "model")!r})
model = nwb_neurid.load_model({str(tmp_path / "model")!r})
assert len(model.predict(model.embed(animals[0]), "cell_type", population=animals[0])) == 14
"""
    assert loaded_after(code) & {"torch", "pynwb", "h5py", "neo", "zarr", "spikeinterface", "matplotlib"} == set()

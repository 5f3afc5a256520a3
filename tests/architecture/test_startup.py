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

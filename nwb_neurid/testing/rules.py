"""Tools for the rules: fail with a reason, import in a fresh interpreter, capture output."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
from jaxtyping import Float

from nwb_neurid.contracts import CONTRACT, EncoderPlugin, ReaderPlugin

HEAVY = frozenset(
    {
        "h5py",
        "hdmf",
        "jax",
        "matplotlib",
        "neo",
        "pandas",
        "pynwb",
        "scipy",
        "sklearn",
        "spikeinterface",
        "tensorflow",
        "torch",
        "zarr",
    }
)
"""Libraries that take long to import. A plugin has to import them inside the functions that use them."""

ALONE = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
import nwb_neurid.contracts
before = set(sys.modules)
importlib.import_module(sys.argv[2])
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})), file=sys.stderr)
"""


class RuleBroken(AssertionError):
    """A plugin breaks a rule. The message states how."""


def require(holds: bool, otherwise: str) -> None:
    """Fail with this message unless the rule holds."""
    if not holds:
        raise RuleBroken(otherwise)


def require_close(
    left: Float[np.ndarray, "units dim"], right: Float[np.ndarray, "units dim"], tolerance: float, otherwise: str
) -> None:
    """Fail unless these vectors agree (NaN equals NaN). The largest difference is added to the message."""
    require(left.shape == right.shape, f"{otherwise}: shapes {left.shape} and {right.shape}")
    if not np.allclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True):
        apart = np.abs(left - right)
        known = np.isfinite(apart)
        largest = f"by up to {apart[known].max():.3g}" if known.any() else "in which units have a vector"
        raise RuleBroken(f"{otherwise}: vectors differ {largest}")


def require_spec(plugin: object, kind: type[EncoderPlugin] | type[ReaderPlugin]) -> None:
    """Fail unless this is a plugin of the given type, for this version of the contract, with a complete description."""
    require(
        isinstance(plugin, kind),
        f"it must be {'an' if kind is EncoderPlugin else 'a'} {kind.__name__}, got {type(plugin).__name__}",
    )
    spec = plugin.spec  # type: ignore[attr-defined]
    require(
        spec.contract == CONTRACT,
        f"it was written for version {spec.contract} of the contract, this is version {CONTRACT}",
    )
    require(bool(spec.name and spec.version and spec.summary), "name, version and summary must not be empty")
    require("\n" not in spec.summary, "the summary must be one line")


def require_light(module: str) -> None:
    """Fail if importing a module imports a heavy library."""
    modules, _ = import_alone(module)
    heavy = sorted(modules & HEAVY)
    require(not heavy, f"importing it imports {', '.join(heavy)}")


@cache
def import_alone(module: str) -> tuple[frozenset[str], str]:
    """Import a module in a fresh interpreter. Return the top-level modules that it imports, and the output."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", ALONE, json.dumps(sys.path), module], capture_output=True, text=True, check=False
    )
    said = done.stderr.strip().splitlines() or [""]
    require(done.returncode == 0, f"the module {module} cannot be imported in a fresh interpreter: {said[-1]}")
    return frozenset(json.loads(said[-1])), done.stdout


@contextlib.contextmanager
def capture_output() -> Iterator[list[str]]:
    """Capture standard output, including that of compiled libraries."""
    found: list[str] = []
    sys.stdout.flush()
    with tempfile.TemporaryFile() as file, contextlib.redirect_stdout(io.StringIO()) as text:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            yield found
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            found += [line for line in (text.getvalue() + file.read().decode(errors="replace")).splitlines() if line]


def advance_generators() -> None:
    """Draw from the global random generators, so that it can be detected if a plugin seeds them."""
    np.random.random()  # noqa: NPY002 - the one that must not be used
    if (torch := sys.modules.get("torch")) is not None:
        torch.rand(())


def read_global_state() -> Mapping[str, bytes]:
    """Read the global state that a plugin must not change: random generators, and settings of torch."""
    found = {"NumPy's global random generator": repr(np.random.get_state()).encode()}  # noqa: NPY002 - what must not change
    if (torch := sys.modules.get("torch")) is not None:
        settings = torch.is_grad_enabled(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()
        found["torch's random generator"] = torch.get_rng_state().numpy().tobytes()
        found["settings of torch"] = repr((settings, torch.get_num_threads())).encode()
    return found

"""Conformance tests of readers."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from unittest import SkipTest

import numpy as np

from nwb_neurid.contracts import ReaderPlugin, ReadOptions
from nwb_neurid.errors import NeuridError
from nwb_neurid.population import Population, Spikes
from nwb_neurid.testing.rules import capture_output, import_alone, require, require_light, require_spec

NONSENSE = "no_such_thing_17"
TEXTS = frozenset({"where", "part", "intervals", "activity"})
FLAGS = frozenset({"keep_opto", "all_rois", "covariates"})
OPEN_FILES = Path("/proc/self/fd")


class ReaderConformance:
    """Conformance tests of a reader.

    Subclass this class in a test module, set `plugin`, and define `source`. Pytest then runs the tests.

    Parameters
    ----------
    plugin
        The plugin that is tested.
    module
        Name of the module of the plugin; "" for the module in which the function `read` of the plugin is defined.

    Examples
    --------
    >>> from nwb_neurid.readers.nwb import PLUGIN
    >>> from nwb_neurid.simulate import simulate, write_nwb
    >>> class TestNwb(ReaderConformance):
    ...     plugin = PLUGIN
    ...
    ...     def source(self, folder):
    ...         return write_nwb(simulate(4, 5.0), folder / "recording.nwb")
    """

    plugin: ClassVar[ReaderPlugin]
    module: ClassVar[str] = ""

    def source(self, folder: Path) -> object:  # noqa: ARG002 - a subclass writes there
        """Make a small source in the format of the reader. Subclasses implement this method.

        Parameters
        ----------
        folder
            An empty folder to write the source into.

        Returns
        -------
        object
            Path of the source, or an object that the reader accepts.

        Raises
        ------
        SkipTest
            If the subclass does not implement this method. Rules that need a source are then skipped.
        """
        raise SkipTest("no source was given")

    @contextmanager
    def make(self) -> Iterator[object]:
        """Make a source in a temporary folder, which is deleted afterwards.

        Yields
        ------
        object
            The source.
        """
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield self.source(Path(folder))

    made = make
    """The former name of `make`, from nwb-neurid 0.1."""

    def read(self, source: object, **options: object) -> Population:
        """Read a source with the plugin.

        Parameters
        ----------
        source
            A source, as returned by `source`.
        **options
            Fields of `nwb_neurid.contracts.ReadOptions`.

        Returns
        -------
        Population
            The population that the plugin reads.
        """
        return self.plugin.read(source, ReadOptions(**options))  # type: ignore[arg-type]

    def test_the_plugin_says_what_it_is(self) -> None:
        """The plugin is a `ReaderPlugin` of this version of the contract, with a name, a version and a summary.

        Fill in the `ReaderSpec`. The summary is one line, which `nwb-neurid plugins` shows.
        """
        require_spec(self.plugin, ReaderPlugin)

    def test_importing_it_is_light(self) -> None:
        """Importing the plugin imports no heavy library.

        Import the library of the format inside `read`.
        """
        require_light(self.module or self.plugin.read.__module__)

    def test_it_recognises_its_source(self) -> None:
        """The recording of the test is recognised.

        `recognises` should look at the name, or at the first bytes.
        """
        with self.make() as source:
            require(self.plugin.recognises(source), f"{source} is not recognised")

    def test_it_recognises_nothing_else(self) -> None:
        """Anything else is not recognised: `recognises` returns False, and never raises an error.

        A source may be text, a path, a URL, or any object. Test its type first, and catch `OSError` and `ValueError`.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "empty").mkdir()
            (folder / "notes.txt").write_text("nothing of interest\n", "utf-8")
            (folder / "noise.bin").write_bytes(np.random.default_rng(0).bytes(4096))
            paths = [folder, *folder.iterdir(), folder / "missing"]
            strangers = [*paths, *map(str, paths), "", "\0", "x" * 5000, None, 3, b"bytes", [], (None,), object(), int]
            for stranger in strangers:
                try:
                    recognised = self.plugin.recognises(stranger)
                except Exception as error:
                    require(False, f"asked about {stranger!r:.60}, it raises {type(error).__name__}: {error}")
                require(not recognised, f"{stranger!r:.60} is recognised")

    def test_reading_gives_a_population(self) -> None:
        """Reading gives a `Population` with units, observed time, and the name of its source.

        Pass `source=str(source)`, and state the observed time in `observed_s`.
        """
        with self.make() as source:
            population = self.read(source)
            require(
                isinstance(population, Population), f"read must return a Population, got {type(population).__name__}"
            )
            require(len(population) > 0, "there are no units")
            require(population.duration_s > 0, "there is no observed time")
            if isinstance(source, str | Path):
                require(population.source == str(source), f"source must be {source}, got {population.source!r}")

    def test_reading_again_gives_the_same(self) -> None:
        """Reading the same source again gives the same units, activity and observed time.

        Sort files and elements of sets, because their order may vary.
        """
        with self.make() as source:
            first, again = self.read(source), self.read(source)
            for name in ("unit_ids", "observed_s", "group", "positions_um", "waveforms_uv"):
                left, right = getattr(first, name), getattr(again, name)
                same = left is None and right is None
                require(same or _equal(left, right), f"{name} differs at the second reading")
            require(_equal(_get_values(first), _get_values(again)), "the activity differs at the second reading")

    def test_the_source_stays_as_it_is(self) -> None:
        """Reading changes no file and adds none.

        Open files only for reading, and write no cache beside them.
        """
        with self.make() as source:
            before = _read_files(self._get_path(source))
            self.read(source)
            after = _read_files(self._get_path(source))
            changed = sorted(str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path))
            require(not changed, f"reading changes {', '.join(changed[:3])}")

    def test_files_are_closed(self) -> None:
        """After reading, no file of the source is still open.

        Open files in a `with` statement, and copy arrays out of memory maps.
        """
        if not OPEN_FILES.is_dir():
            raise SkipTest("this system does not show which files are open")
        with self.make() as source:
            path = self._get_path(source).resolve()
            population = self.read(source)
            names = [link.readlink() for link in OPEN_FILES.iterdir() if link.is_symlink()]
            still = sorted(str(name) for name in names if name.is_relative_to(path))
            require(not still, f"after reading {len(population)} units, {', '.join(still[:3])} is still open")

    def test_damage_is_an_error_of_ours(self) -> None:
        """A truncated or empty file is read, or refused with an error of nwb-neurid, never with another error.

        Convert errors of the library that reads the format into `UnreadableSource`, with the path and the reason.
        """
        with self.make() as source:
            root = self._get_path(source)
            files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
            for file in files:
                whole = file.read_bytes()
                for size in sorted({0, len(whole) // 2}):
                    file.write_bytes(whole[:size])
                    self._require_ours(source, f"with {file.name} cut to {size} of {len(whole)} bytes")
                file.write_bytes(whole)

    def test_the_spec_is_honest(self) -> None:
        """Every option that the spec lists works, and an option value that matches nothing in the source is refused.

        List in `options` only the options that `read` uses, and raise `InvalidOption` for values that match nothing.
        """
        options = self.plugin.spec.options
        with self.make() as source:
            for name in sorted(options & FLAGS):
                self.read(source, **{name: True})
            for name in sorted(options & TEXTS):
                try:
                    self.read(source, **{name: NONSENSE})
                except NeuridError:
                    continue
                require(False, f"{name}={NONSENSE!r} is accepted without an error")

    def test_nothing_is_printed(self) -> None:
        """Importing and reading write nothing to standard output.

        Use a `NeuridWarning` for information for the user.
        """
        _, said = import_alone(self.module or self.plugin.read.__module__)
        require(not said, f"importing prints {said[:60]!r}")
        with self.make() as source, capture_output() as lines:
            self.plugin.recognises(source)
            self.read(source)
        require(not lines, f"recognising or reading prints {lines[:1]}")

    def _get_path(self, source: object) -> Path:
        if not isinstance(source, str | Path):
            raise SkipTest("the source is an object, not a path")
        return Path(source)

    def _require_ours(self, source: object, what: str) -> None:
        try:
            self.read(source)
        except NeuridError:
            return
        except Exception as error:
            require(
                False, f"{what}, it raises {type(error).__name__} ({error}), which is not an error class of nwb-neurid"
            )


def copy_source(source: Path, folder: Path) -> Path:
    """Copy a file or a folder, so that a test may damage it."""
    target = folder / source.name
    if source.is_dir():
        return shutil.copytree(source, target)
    return Path(shutil.copy(source, target))


def _get_values(population: Population) -> np.ndarray:
    activity = population.activity
    return activity.times_s if isinstance(activity, Spikes) else activity.values


def _equal(left: np.ndarray, right: np.ndarray) -> bool:
    numbers = left.dtype.kind == "f" and right.dtype.kind == "f"
    return bool(np.array_equal(left, right, equal_nan=numbers))


def _read_files(root: Path) -> dict[Path, bytes]:
    """Read every file beside and below a path."""
    folder = root.parent if root.is_file() else root
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

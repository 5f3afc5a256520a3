"""Plugins, which are found through entry points. A plugin is imported only when it is used, not when it is listed."""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from nwb_neurid.contracts import CONTRACT, EncoderPlugin, ReaderPlugin
from nwb_neurid.contracts.attribution import attribute_errors
from nwb_neurid.errors import BrokenPlugin, DuplicatePlugin, IncompatiblePlugin, NeuridError, UnknownPlugin

OWN = "nwb-neurid"
"""The distribution to which this package belongs."""

Plugin = TypeVar("Plugin", EncoderPlugin, ReaderPlugin)
Point: TypeAlias = Any
"""An entry point of `importlib.metadata`, or of `importlib_metadata`, which takes over once a library imports it."""


@dataclass(frozen=True, slots=True)
class Registry(Generic[Plugin]):
    """The plugins of one kind.

    Parameters
    ----------
    kind
        "encoder" or "reader", for messages.
    plugin_type
        The type of the object to which an entry point must refer.
    points
        The entry points.
    """

    kind: str
    plugin_type: type[Plugin]
    points: tuple[Point, ...]

    def __iter__(self) -> Iterator[str]:
        """Yield the names by which `load` finds the plugins, sorted. Names of duplicates include their distribution."""
        for name, points in sorted(self._by_name().items()):
            yield from ([name] if len(points) == 1 else sorted(f"{name}@{_distribution(point)}" for point in points))

    def distribution(self, name: str) -> str:
        """Name and version of the distribution that provides a plugin.

        Raises
        ------
        UnknownPlugin, DuplicatePlugin
            As for `load`.
        """
        point = self._point(name)
        return f"{point.dist.name} {point.dist.version}" if point.dist else "no distribution"

    def load(self, name: str) -> Plugin:
        """Import one plugin, by its name or as `name@distribution`.

        Raises
        ------
        UnknownPlugin
            If no installed distribution provides the plugin.
        DuplicatePlugin
            If several distributions provide a plugin with this name.
        BrokenPlugin
            If the plugin cannot be imported, or is not of the kind that its entry point states.
        IncompatiblePlugin
            If the plugin was written for another major version of the contract.
        """
        point = self._point(name)

        def who() -> str:  # reading what a distribution is takes longer than all the rest
            return f"{self.kind} {point.name!r} ({point.value}, {self.distribution(name)})"

        with attribute_errors(who, "cannot be imported"):
            try:
                plugin = point.load()
            except BrokenPlugin as error:  # what it is made of refuses it, and does not know whose it is
                raise BrokenPlugin(f"{who()} cannot be imported: {error}") from error
        if not isinstance(plugin, self.plugin_type):
            raise BrokenPlugin(f"{who()} must be of type {self.plugin_type.__name__}, got {type(plugin).__name__}.")
        if plugin.spec.contract != CONTRACT:
            raise IncompatiblePlugin(
                f"{who()} was written for version {plugin.spec.contract} of the plugin contract, this nwb-neurid has "
                f"version {CONTRACT}. Install compatible releases of the two."
            )
        if plugin.spec.name != point.name:
            raise BrokenPlugin(f"{who()} calls itself {plugin.spec.name!r} in its spec. The two names must agree.")
        return plugin

    def _point(self, name: str) -> Point:
        bare, _, distribution = name.partition("@")
        points = self._by_name().get(bare, [])
        if distribution:
            points = [point for point in points if _normal(_distribution(point)) == _normal(distribution)]
        if not points:
            raise UnknownPlugin(
                f"There is no {self.kind} {name!r}. Installed: {', '.join(self) or 'none'}. "
                f"For any other, install the package that provides it."
            )
        if len(points) > 1:
            choices = " or ".join(sorted(f"{bare}@{_distribution(point)}" for point in points))
            raise DuplicatePlugin(f"Several packages provide {self.kind} {bare!r}. Choose one of: {choices}.")
        return points[0]

    def _by_name(self) -> dict[str, list[Point]]:
        by_name = defaultdict(list)
        for point in self.points:
            by_name[point.name].append(point)
        return dict(by_name)


def encoders(points: Iterable[Point] | None = None) -> Registry[EncoderPlugin]:
    """Return the installed encoders, or the encoders in `points`."""
    found = _find_points("nwb_neurid.encoders") if points is None else points
    return Registry("encoder", EncoderPlugin, tuple(found))


def readers(points: Iterable[Point] | None = None) -> Registry[ReaderPlugin]:
    """Return the installed readers, or the readers in `points`."""
    found = _find_points("nwb_neurid.readers") if points is None else points
    return Registry("reader", ReaderPlugin, tuple(found))


def default_encoder(use: str) -> str:
    """Name of the default encoder for a use, which is stated in the specs of encoders.

    Encoders of nwb-neurid take precedence, and then the first in alphabetical order. Encoders that cannot be loaded are
    skipped.

    Parameters
    ----------
    use
        One of `nwb_neurid.contracts.encoder.DEFAULTS`: "baseline" or "training".

    Raises
    ------
    UnknownPlugin
        If no installed encoder is a default for this use.
    """
    installed = encoders()
    for name in sorted(installed, key=lambda name: (installed.distribution(name).split()[0] != OWN, name)):
        with suppress(NeuridError):
            if use in installed.load(name).spec.default_for:
                return name
    raise UnknownPlugin(
        f"No installed encoder is the default for {use}: choose one (--encoder). Installed: "
        f"{', '.join(installed) or 'none'}."
    )


def _find_points(group: str) -> tuple[Point, ...]:
    """Find the installed entry points of a group. The search is repeated after a package was installed or removed."""
    changed = []
    for place in sys.path:
        with suppress(OSError):
            changed.append((place, Path(place).stat().st_mtime_ns))
    return _read_points(group, tuple(changed))


@lru_cache(maxsize=16)
def _read_points(group: str, places: tuple[tuple[str, int], ...]) -> tuple[Point, ...]:  # noqa: ARG001  (part of the key)
    """Read the entry points of every installed distribution, which takes 10 to 40 ms."""
    return tuple(entry_points(group=group))


def _distribution(point: Point) -> str:
    return point.dist.name if point.dist else "unknown"


def _normal(distribution: str) -> str:
    """Normalise a name as package indexes do: `My_Lab` and `my-lab` are the same distribution."""
    return re.sub(r"[-_.]+", "-", distribution).lower()

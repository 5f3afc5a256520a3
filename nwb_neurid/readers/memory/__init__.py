"""Reads arrays and objects in memory: spike times, traces, and objects of pynapple.

Times are in seconds, as everywhere in NWB. Objects of other libraries have their own readers: an open `pynwb.NWBFile`
is read by the NWB reader, and objects of SpikeInterface and Neo by the readers for these libraries.
"""

from collections.abc import Mapping, Sequence

from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec, ReadOptions
from nwb_neurid.population import Population

PYNAPPLE = frozenset({"TsGroup", "TsdFrame", "Ts", "Tsd"})
OTHERS = frozenset({"neo", "spikeinterface", "pynwb", "hdmf"})
"""Libraries whose objects, also where they are arrays, have readers of their own."""


def is_of_pynapple(source: object) -> bool:
    """Whether this is a group of spike trains or a frame of traces of pynapple. pynapple is not imported for it."""
    return any(cls.__name__ in PYNAPPLE and _library(cls) == "pynapple" for cls in type(source).__mro__)


def is_of_others(source: object) -> bool:
    """Whether this, or its first element, is an object of a library that has its own reader."""
    if isinstance(source, list | tuple) and source:
        source = source[0]
    return any(_library(cls) in OTHERS for cls in type(source).__mro__)


def _library(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def recognises(source: object) -> bool:
    """Whether this is a list or a dict of arrays, an array, or an object of pynapple."""
    if isinstance(source, str | bytes) or is_of_others(source):
        return False
    return is_of_pynapple(source) or isinstance(source, Sequence | Mapping) or hasattr(source, "__array__")


def read(source: object, options: ReadOptions) -> Population:
    """Read arrays or an object of pynapple; see `arrays` and `pynapple` in this package."""
    from nwb_neurid.readers.memory import arrays, pynapple

    if is_of_pynapple(source):
        return pynapple.read_object(source, options)
    return arrays.read_arrays(source, options)


PLUGIN = ReaderPlugin(
    spec=ReaderSpec(
        name="memory",
        version="1",
        summary="Arrays of spike times or traces, and objects of pynapple",
        contract=CONTRACT,
        options=frozenset({"rate_hz", "activity", "where"}),
    ),
    recognises=recognises,
    read=read,
)

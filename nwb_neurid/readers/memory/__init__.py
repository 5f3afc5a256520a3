"""Reads arrays and objects in memory: spike times, traces, and objects of pynapple.

Times are in seconds, as everywhere in NWB. Objects of other libraries have their own readers: an open `pynwb.NWBFile`
is read by the NWB reader, and objects of SpikeInterface and Neo by the readers for these libraries.
"""

from collections.abc import Mapping, Sequence

from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec, ReadOptions
from nwb_neurid.population import Population
from nwb_neurid.readers.instances import is_of

PYNAPPLE = frozenset({"TsGroup", "TsdFrame", "Ts", "Tsd"})
OTHERS = frozenset({"neo", "spikeinterface", "pynwb", "hdmf"})
"""Libraries with their own readers. Their objects are not read here, even if they are arrays."""


def is_of_others(source: object) -> bool:
    """Return whether this, or its first element, is an object of a library that has its own reader."""
    first = source[0] if isinstance(source, list | tuple) and source else source
    return any(is_of(first, library) for library in OTHERS)


def recognises(source: object) -> bool:
    """Return whether this is a list or a dict of arrays, an array, or an object of pynapple."""
    if isinstance(source, str | bytes) or is_of_others(source):
        return False
    return is_of(source, "pynapple", PYNAPPLE) or isinstance(source, Sequence | Mapping) or hasattr(source, "__array__")


def read(source: object, options: ReadOptions) -> Population:
    """Read arrays or an object of pynapple; see `arrays` and `pynapple` in this package."""
    from nwb_neurid.readers.memory import arrays, pynapple

    if is_of(source, "pynapple", PYNAPPLE):
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

"""Requirements on tables in the NWB version of a file. Before NWB 2.2, table types were in the core namespace."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from nwb_neurid.writers.nwb.links import find_own, find_own_group

COMMON = "hdmf-common"
CORE = "core"
TABLE = "DynamicTable"
TEXT = h5py.string_dtype()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The way in which tables are written in a file. The defaults are those of NWB 2.2 and later.

    Parameters
    ----------
    tables
        The namespace of tables and their columns.
    help_texts
        For each type, the required text of the attribute `help` (NWB 2.0).
    ascii_names
        Whether names of columns must be ASCII (before NWB 2.2).
    """

    tables: str = COMMON
    help_texts: Mapping[str, str] = field(default_factory=dict)
    ascii_names: bool = False


def read_dialect(cached: h5py.Group | None) -> Dialect:
    """Find the requirements of the specifications that are cached in a file, or otherwise those of current NWB.

    Parameters
    ----------
    cached
        The group with the cached specifications.
    """
    types = {} if cached is None else {name: _read_types(cached, name) for name in (CORE, COMMON)}
    attributes = {kind: _list_attributes(found) for part in types.values() for kind, found in part.items()}
    helps = {kind: own["help"].get("value") for kind, own in attributes.items() if "help" in own}
    return Dialect(
        tables=CORE if TABLE in types.get(CORE, ()) and TABLE not in types[COMMON] else COMMON,
        help_texts={kind: text for kind, text in helps.items() if isinstance(text, str)},
        ascii_names=attributes.get(TABLE, {}).get("colnames", {}).get("dtype") == "ascii",
    )


def write_names(table: h5py.Group, names: Sequence[str], *, ascii_names: bool = False) -> None:
    """Write the names of the columns of a table, in their order, as ASCII of fixed length or as UTF-8."""
    if ascii_names and all(name.isascii() for name in names):
        values = np.array([name.encode() for name in names], f"S{max(map(len, names), default=1)}")
        table.attrs.create("colnames", values, shape=values.shape, dtype=values.dtype)
    else:
        table.attrs.create("colnames", names, shape=(len(names),), dtype=TEXT)


def has_ascii_names(table: h5py.Group) -> bool:
    """Return whether the names of the columns of a table are stored as ASCII of fixed length."""
    return "colnames" in table.attrs and table.attrs.get_id("colnames").dtype.kind == "S"


def _read_types(cached: h5py.Group, namespace: str) -> dict[str, dict[str, Any]]:
    """Return the types of a namespace by name. Types that are damaged or in another file are left out."""
    found: dict[str, dict[str, Any]] = {}
    versions = find_own_group(cached, namespace)
    for version in [] if versions is None else filter(None, (find_own_group(versions, name) for name in versions)):
        for document in (find_own(version, name) for name in version):
            for kind in _parse_types(document):
                name = kind.get("neurodata_type_def") or kind.get("data_type_def")
                if isinstance(name, str):
                    found[name] = kind
    return found


def _parse_types(document: h5py.HLObject | None) -> list[dict[str, Any]]:
    try:
        parts = json.loads(document[()]) if isinstance(document, h5py.Dataset) else {}
        types = [*parts.get("groups", ()), *parts.get("datasets", ())]
    except (ValueError, TypeError, AttributeError, OSError, RecursionError):
        return []
    return [kind for kind in types if isinstance(kind, dict)]


def _list_attributes(kind: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the attributes of a type by name."""
    listed = kind.get("attributes")
    each = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {str(one.get("name")): one for one in each}

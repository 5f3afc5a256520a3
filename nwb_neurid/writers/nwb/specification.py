"""The specification of `ndx-neurid`, in the form in which HDMF caches it in every file that holds its types."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

NAMESPACE = "ndx-neurid"


@dataclass(frozen=True, slots=True)
class Specification:
    """One version of a namespace.

    Parameters
    ----------
    version
        Of the namespace.
    documents
        The datasets that hold it in a file, by name: JSON.
    """

    version: str
    documents: dict[str, str]


@cache
def specification() -> Specification:
    """The version that this package writes."""
    (namespace,) = _yaml("ndx-neurid.namespace.yaml")["namespaces"]
    documents = {}
    for part in namespace["schema"]:
        if "source" in part:
            types = _yaml(part["source"])
            part["source"] = part["source"].removesuffix(".yaml")
            documents[part["source"]] = _compact(types)
    documents["namespace"] = _compact({"namespaces": [namespace]})
    return Specification(namespace["version"], documents)


def _yaml(name: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load((files(__package__) / "spec" / name).read_text("utf-8"))


def _compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))

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
        Version of the namespace.
    documents
        The JSON datasets that contain it in a file, by name.
    """

    version: str
    documents: dict[str, str]


@cache
def load_specification() -> Specification:
    """Load the version of the specification that this package writes."""
    (namespace,) = _read_yaml("ndx-neurid.namespace.yaml")["namespaces"]
    documents = {}
    for part in namespace["schema"]:
        if "source" in part:
            types = _read_yaml(part["source"])
            part["source"] = part["source"].removesuffix(".yaml")
            documents[part["source"]] = _dump(types)
    documents["namespace"] = _dump({"namespaces": [namespace]})
    return Specification(namespace["version"], documents)


def _read_yaml(name: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load((files(__package__) / "spec" / name).read_text("utf-8"))


def _dump(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))

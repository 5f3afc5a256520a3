"""Shell completion of option values: one function for each kind of option."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import typer

from nwb_neurid.errors import NeuridError


def _complete_from(module: str, name: str) -> Callable[[str], list[str]]:
    """Make a function that completes the values that a module lists, or returns from a function, under a name."""

    def complete(incomplete: str) -> list[str]:
        found = getattr(import_module(f"nwb_neurid.{module}"), name)
        values = found() if callable(found) else found
        return _begin(sorted(values) if isinstance(values, frozenset) else values, incomplete)

    return complete


complete_devices = _complete_from("contracts", "DEVICES")
complete_kinds = _complete_from("activity", "ACTIVITIES")
complete_heads = _complete_from("labels.classifier", "KINDS")
complete_formats = _complete_from("writers.outputs", "FORMATS")
complete_criteria = _complete_from("labels.criteria", "CHOICES")
complete_protocols = _complete_from("evaluation.protocols", "PROTOCOLS")
complete_encoders = _complete_from("registry", "encoders")


def complete_presets(context: typer.Context, incomplete: str) -> list[str]:
    """Presets of the encoder given by --encoder."""
    from nwb_neurid import registry

    found: list[str] = []
    for name in _named(context.params.get("encoder")):
        with suppress(NeuridError):
            found += registry.encoders().load(name).presets
    return _begin(found, incomplete)


def complete_models(incomplete: str) -> list[str]:
    """Included models, and model folders in the current folder."""
    from nwb_neurid.model.bundled import list_bundled

    here = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    folders = [str(path.parent) for path in here.glob("*/model.json")]
    return [*_begin(list_bundled(), incomplete), *_begin(sorted(folders), incomplete)]


def _named(encoder: str | list[str] | None) -> list[str]:
    return [encoder] if isinstance(encoder, str) else encoder or []


def _begin(values: Iterable[str], incomplete: str) -> list[str]:
    return [value for value in values if value.startswith(incomplete)]

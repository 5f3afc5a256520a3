"""Shell completion of option values: one function for each kind of option."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import typer

from nwb_neurid.errors import NeuridError


def complete_devices(incomplete: str) -> list[str]:
    """Devices that a model can run on."""
    from nwb_neurid.contracts import DEVICES

    return _begin(DEVICES, incomplete)


def complete_kinds(incomplete: str) -> list[str]:
    """Kinds of activity."""
    from nwb_neurid.activity import ACTIVITIES

    return _begin(sorted(ACTIVITIES), incomplete)


def complete_heads(incomplete: str) -> list[str]:
    """Classifiers on top of vectors."""
    from nwb_neurid.labels.classifier import KINDS

    return _begin(KINDS, incomplete)


def complete_formats(incomplete: str) -> list[str]:
    """Formats of results."""
    from nwb_neurid.writers.outputs import FORMATS

    return _begin(FORMATS, incomplete)


def complete_criteria(incomplete: str) -> list[str]:
    """Published criteria for cell types."""
    from nwb_neurid.labels.criteria import AUTO, CRITERIA, NONE

    return _begin([AUTO, *CRITERIA, NONE], incomplete)


def complete_protocols(incomplete: str) -> list[str]:
    """Protocols of evaluation."""
    from nwb_neurid.evaluation.protocols import PROTOCOLS

    return _begin(PROTOCOLS, incomplete)


def complete_encoders(incomplete: str) -> list[str]:
    """Installed encoders."""
    from nwb_neurid import registry

    return _begin(registry.encoders(), incomplete)


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

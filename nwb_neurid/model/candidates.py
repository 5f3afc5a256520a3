"""Encoders and models that can embed a population."""

from collections.abc import Mapping
from dataclasses import dataclass

from nwb_neurid import registry
from nwb_neurid.contracts import EncoderPlugin
from nwb_neurid.contracts.compatibility import list_problems
from nwb_neurid.errors import CannotEncode, NeuridError
from nwb_neurid.model.bundled import list_bundled, list_labels, read_spec
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An installed encoder, and whether it can embed a population.

    Parameters
    ----------
    encoder
        Name of the encoder.
    plugin
        The plugin of the encoder; None if the plugin is broken.
    presets
        The presets that can embed the population.
    problems
        For each of the other presets, the reasons why it cannot embed the population. For a broken plugin, the key is
        "".
    """

    encoder: str
    plugin: EncoderPlugin | None
    presets: tuple[str, ...]
    problems: Mapping[str, list[str]]


def list_candidates(population: Population) -> list[Candidate]:
    """List the installed encoders. For each preset, state whether it can embed the population, and if not, why."""
    encoders = registry.encoders()
    found = []
    for name in encoders:
        try:
            plugin = encoders.load(name)
        except NeuridError as error:
            found.append(Candidate(encoder=name, plugin=None, presets=(), problems={"": [str(error)]}))
            continue
        by_preset = {
            preset: list_problems(population, plugin.spec_for(config)) for preset, config in plugin.presets.items()
        }
        able = tuple(preset for preset, why in by_preset.items() if not why)
        why = {preset: reasons for preset, reasons in by_preset.items() if reasons}
        found.append(Candidate(encoder=name, plugin=plugin, presets=able, problems=why))
    return found


def check_fits(population: Population, model: Model) -> None:
    """Refuse a population that the model cannot embed. The error lists models, encoders and presets that can.

    Raises
    ------
    CannotEncode
        If the model cannot embed the population. The message lists all reasons.
    """
    found = list_problems(population, model.spec)
    if not found:
        return
    able = {each.encoder: each for each in list_candidates(population) if each.presets}
    instead = {name: "encoder" for name, each in able.items() if each.plugin and not each.plugin.initial_state}
    general = [name for name in list_bundled() if not list_labels(name)]
    instead |= {name: "model" for name in general if not list_problems(population, read_spec(name))}
    presets = able[model.name].presets if model.name in able and model.name not in instead else ()
    raise CannotEncode(model.name, population.source, found, instead=instead, presets=presets)

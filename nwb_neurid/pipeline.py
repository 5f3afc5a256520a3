"""The main job in steps: read, check, embed, write."""

import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nwb_neurid import registry
from nwb_neurid.checks import problems
from nwb_neurid.contracts import EncoderPlugin, Progress, ReaderPlugin, ReadOptions, silent
from nwb_neurid.errors import (
    BrokenPlugin,
    IncompatiblePlugin,
    InvalidOption,
    NeuridError,
    NeuridWarning,
    SourceNotFound,
    UnknownSource,
)
from nwb_neurid.model import Model
from nwb_neurid.ndx import store
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What `embed_file` did.

    Parameters
    ----------
    path
        The file that holds the results.
    embeddings
        As they were written.
    """

    path: Path
    embeddings: Embeddings


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether an installed encoder can embed a population.

    Parameters
    ----------
    encoder
        Its name.
    plugin
        None where the plugin is broken.
    presets
        The presets that can.
    problems
        Why none can; empty otherwise.
    """

    encoder: str
    plugin: EncoderPlugin | None
    presets: tuple[str, ...]
    problems: tuple[str, ...]


def read(source: object, **options: Any) -> Population:
    """The population of a recording, through whichever installed reader recognises it.

    Parameters
    ----------
    source
        Path of a recording, or an object that a reader knows.
    **options
        Fields of `nwb_neurid.contracts.ReadOptions`.

    Raises
    ------
    SourceNotFound
        If it is a path and there is nothing.
    UnknownSource
        If no reader recognises it.
    InvalidOption
        If there is no such option.
    UnreadableSource, InvalidSource
        If the reader cannot read it.
    """
    try:
        wanted = ReadOptions(**options)
    except TypeError:
        known = ", ".join(option.name for option in fields(ReadOptions))
        raise InvalidOption(f"Cannot read with {', '.join(sorted(options))}. Options are: {known}.") from None
    return read_with(reader_for(source), source, wanted)


def read_with(reader: ReaderPlugin, source: object, options: ReadOptions) -> Population:
    """The population of a recording through this reader.

    Raises
    ------
    InvalidOption
        If an option is set that the reader does not know.
    NeuridError
        Whatever else the reader finds.
    """
    for option in fields(ReadOptions):
        if getattr(options, option.name) != option.default and option.name not in reader.spec.options:
            raise InvalidOption(
                f"The reader {reader.spec.name!r}, which reads {source}, does not know the option {option.name}. "
                f"It knows: {', '.join(sorted(reader.spec.options)) or 'none'}."
            )
    return reader.read(source, options)


def reader_for(source: object) -> ReaderPlugin:
    """The first reader, in the order of their names, that recognises the source. Broken readers are passed over.

    Raises
    ------
    SourceNotFound, UnknownSource
        As for `read`.
    """
    if isinstance(source, str | Path) and not Path(source).exists():
        raise SourceNotFound(f"{source} does not exist.")
    readers = registry.readers()
    for name in readers:
        try:
            plugin = readers.load(name)
        except (BrokenPlugin, IncompatiblePlugin) as error:
            warnings.warn(str(error), NeuridWarning, stacklevel=2)
            continue
        if plugin.recognises(source):
            return plugin
    raise UnknownSource(f"No reader recognises {source}. Installed readers: {', '.join(readers)}.")


def embed_file(
    source: Path,
    model: Model,
    *,
    output: Path | None = None,
    overwrite: bool = False,
    name: str | None = None,
    options: ReadOptions | None = None,
    pool_groups: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Embed the units of an NWB file and write the vectors beside them.

    Parameters
    ----------
    source
        The NWB file. It is written to unless `output` is given: whole or not at all.
    model
        What embeds.
    output
        Where a copy with the results goes instead.
    overwrite
        Replace results of the same name, or an existing `output`.
    name
        What the results are called; `neurid_<encoder>` by default.
    options
        For the reader.
    pool_groups, progress
        As for `Model.embed`.

    Raises
    ------
    NeuridError
        Whatever stands in the way; nothing was written then.
    """
    reader = reader_for(source)
    store.check_writable(source, output=output, overwrite=overwrite, name=name or default_name(model))
    fingerprint = store.Fingerprint.of(source)
    population = read_with(reader, source, options or ReadOptions())
    embeddings = model.embed(population, pool_groups=pool_groups, progress=progress)
    path = store.write(
        source,
        embeddings,
        output=output,
        overwrite=overwrite,
        name=name or default_name(model),
        expected=fingerprint,
    )
    return Outcome(path=path, embeddings=embeddings)


def default_name(model: Model) -> str:
    """What results of this model are called if nobody says."""
    return f"neurid_{model.name}"


def fits(population: Population) -> list[Fit]:
    """For every installed encoder, whether it can embed the population, and if not, exactly why."""
    encoders = registry.encoders()
    found = []
    for name in encoders:
        try:
            plugin = encoders.load(name)
        except NeuridError as error:
            found.append(Fit(encoder=name, plugin=None, presets=(), problems=(str(error),)))
            continue
        by_preset = {preset: problems(population, plugin.spec_for(config)) for preset, config in plugin.presets.items()}
        able = tuple(preset for preset, why in by_preset.items() if not why)
        why = () if able else tuple(dict.fromkeys(reason for found in by_preset.values() for reason in found))
        found.append(Fit(encoder=name, plugin=plugin, presets=able, problems=why))
    return found

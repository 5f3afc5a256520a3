"""The main job in steps: read, check, embed, write."""

import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from nwb_neurid import limits, registry
from nwb_neurid.blame import blaming, culprit
from nwb_neurid.contracts import EncoderSpec, Progress, ReaderPlugin, ReadOptions, is_url, silent
from nwb_neurid.errors import (
    BrokenPlugin,
    IncompatiblePlugin,
    InvalidOption,
    NeuridWarning,
    SourceNotFound,
    UnknownSource,
)
from nwb_neurid.labels.prediction import PredictionOptions, check_options, predict_all
from nwb_neurid.learning import fit
from nwb_neurid.model import Model, load_model
from nwb_neurid.outputs import NWB, Wanted, default_name, output_for
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.shipped import ENCODER, shipped_for
from nwb_neurid.suitable import check_suits
from nwb_neurid.trainable import TrainingOptions

FOR_ALL = ("start_s", "stop_s")
"""Options that need nothing of a reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What `embed_file` did.

    Parameters
    ----------
    path
        The file that holds the results.
    embeddings, predictions
        As they were written.
    """

    path: Path
    embeddings: Embeddings
    predictions: tuple[Predictions, ...] = ()


def read(source: object, **options: Any) -> Population:
    """The population of a recording, through whichever installed reader recognises it.

    Parameters
    ----------
    source
        Path or URL of a recording, or an object that a reader knows.
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
        if getattr(options, option.name) != option.default and option.name not in reader.spec.options | {*FOR_ALL}:
            raise InvalidOption(
                f"The reader {reader.spec.name!r}, which reads {source}, does not know the option {option.name}. "
                f"It knows: {', '.join(sorted(reader.spec.options)) or 'none'}."
            )
    with limits.reading(source), blaming(lambda: _who(reader), f"failed on {source}"):
        population = reader.read(source, options)
    if not isinstance(population, Population):
        raise BrokenPlugin(f"{_who(reader)} must return a Population of {source}, got {type(population).__name__}.")
    if options.start_s is None and options.stop_s is None:
        return population
    start_s = -np.inf if options.start_s is None else options.start_s
    stop_s = np.inf if options.stop_s is None else options.stop_s
    stretch = population.slice(start_s, stop_s)
    if len(stretch.observed_s) == 0:
        raise InvalidOption(
            f"{source} was not observed between {start_s:g} and {stop_s:g} s. It was from "
            f"{population.observed_s[0, 0]:g} to {population.observed_s[-1, 1]:g} s."
        )
    return stretch


def _who(reader: ReaderPlugin) -> str:
    """A reader and where it comes from, for messages."""
    name, readers = reader.spec.name, registry.readers()
    return culprit("Reader", name, readers.distribution(name) if name in set(readers) else "")


def with_covariates(reader: ReaderPlugin, options: ReadOptions) -> ReadOptions:
    """These options, with behaviour and stimulus if the reader can read them."""
    return replace(options, covariates="covariates" in reader.spec.options)


def read_for(spec: EncoderSpec | None, reader: ReaderPlugin, source: object, options: ReadOptions) -> Population:
    """The population of a recording as an encoder needs it, or any (None); raises as `read_with` does."""
    covariates = spec is None or spec.uses_covariates
    return read_with(reader, source, with_covariates(reader, options) if covariates else options)


def reader_for(source: object) -> ReaderPlugin:
    """The first reader, in the order of their names, that recognises the source. Broken readers are passed over.

    Warns
    -----
    NeuridWarning
        If a reader is broken, or several recognise the folder: which of its contents is meant, the user knows.

    Raises
    ------
    SourceNotFound, UnknownSource
        As for `read`.
    """
    if isinstance(source, str | Path) and not is_url(source) and not Path(source).exists():
        if Path(source).is_symlink():
            raise SourceNotFound(
                f"{source} is a link to nothing. Fetch what it stands for (git annex get, datalad get)."
            )
        raise SourceNotFound(f"{source} does not exist.")
    readers = registry.readers()
    found: list[ReaderPlugin] = []
    is_folder = isinstance(source, str | Path) and Path(source).is_dir()
    for name in readers:
        if found and not is_folder:
            break
        try:
            plugin = readers.load(name)
            with blaming(lambda: _who(plugin), f"cannot tell whether it reads {source}"):  # noqa: B023 - called within
                recognised = plugin.recognises(source)
        except (BrokenPlugin, IncompatiblePlugin) as error:
            warnings.warn(str(error), NeuridWarning, stacklevel=2)
            continue
        if recognised:
            found.append(plugin)
    if len(found) > 1:
        names = [plugin.spec.name for plugin in found]
        warnings.warn(
            f"{source} is a folder for the readers {' and '.join(names)}, and is read by {names[0]}. If something else "
            "in it is meant, name the folder or the file that holds it.",
            NeuridWarning,
            stacklevel=2,
        )
    if found:
        return found[0]
    raise UnknownSource(f"No reader recognises {source}. Installed readers: {', '.join(readers)}.")


def embed_file(
    source: str | Path,
    model: Model | None = None,
    *,
    device: str = "auto",
    format: str = NWB,
    output: Path | None = None,
    overwrite: bool = False,
    name: str | None = None,
    sidecar: bool = False,
    copy: bool = True,
    units_columns: bool = False,
    options: ReadOptions | None = None,
    pool_groups: bool = False,
    training: TrainingOptions | None = None,
    prediction: PredictionOptions | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Embed the units of a recording, and write the vectors and what the label heads predict beside them.

    Parameters
    ----------
    source
        The recording. An NWB file is written to unless `output` is given: whole or not at all. Results of anything
        else go into `SOURCE.neurid.nwb`, an NWB file with the units themselves.
    model
        What embeds; None for the model that ships for the activity of the recording.
    device
        What a model that ships is built for.
    format
        Of the results: "nwb", or one of `nwb_neurid.outputs.FORMATS`.
    output
        Where the results go instead: a copy of the NWB file, or the file that is made.
    overwrite
        Replace results of the same name, or an existing file.
    name
        What the results are called; `neurid_<encoder>` by default.
    sidecar, copy, units_columns
        As for `nwb_neurid.write`.
    options
        For the reader.
    training
        Train the model on the recording itself first; its vectors are then comparable within the recording alone.
    prediction
        What is asked of the label heads of the model.
    pool_groups, progress
        As for `Model.embed`.

    Raises
    ------
    NeuridError
        Whatever stands in the way; nothing was written then.
    """
    reader = reader_for(source)
    wanted = Wanted(
        name=name or default_name(ENCODER if model is None else model.name),
        output=output,
        overwrite=overwrite,
        sidecar=sidecar,
        copy=copy,
        units_columns=units_columns,
    )
    place = output_for(source, wanted, format)
    spec = None if model is None else model.spec
    population = read_for(spec, reader, source, options or ReadOptions())
    place.check(population)
    if model is None:
        model = load_model(shipped_for(population.activity.kind), device=device)
    check_suits(population, model)
    model = model if training is None else _fitted(model, population, training, pool_groups, progress)
    naming = prediction or PredictionOptions()
    check_options(model.heads, population, naming)
    embeddings = model.embed(population, pool_groups=pool_groups, progress=progress)
    predictions = tuple(predict_all(model.heads, embeddings, population, naming))
    path = place.write(population, embeddings, predictions)
    return Outcome(path=path, embeddings=embeddings, predictions=predictions)


def _fitted(
    model: Model, population: Population, training: TrainingOptions, pool_groups: bool, progress: Progress
) -> Model:
    model, _ = fit(model, [population], training, pool_groups=pool_groups, progress=progress)
    return replace(model, training=f"on the recording itself, comparable within it only: {model.training}")

"""Read a recording with the installed reader that recognises it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from nwb_neurid import registry
from nwb_neurid._system import limits
from nwb_neurid._system.files import check_exists
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import EncoderSpec, ReaderPlugin, ReadOptions, is_url
from nwb_neurid.contracts.attribution import attribute_errors, name_plugin
from nwb_neurid.errors import (
    BrokenPlugin,
    IncompatiblePlugin,
    InvalidOption,
    UnknownSource,
    UnreadableSource,
)
from nwb_neurid.intervals import shortened, subtracted
from nwb_neurid.population import Population
from nwb_neurid.readers.excluded import parse_excluded
from nwb_neurid.readers.label_table import add_labels

FOR_ALL = ("start_s", "stop_s", "duration_s", "labels", "exclude")
"""Options that work with every reader."""


def read(source: object, **options: Any) -> Population:
    """Read a recording with the installed reader that recognises it.

    Parameters
    ----------
    source
        Path or URL of a recording, or an object that a reader supports.
    **options
        Fields of `nwb_neurid.contracts.ReadOptions`, such as `where="quality == 'good'"`. By default, behaviour and
        stimulus are read if the source contains them, because an encoder may use them. With `covariates=False`, they
        are not read.

    Returns
    -------
    Population
        Units with their activity, observed time, labels and other properties.

    Raises
    ------
    SourceNotFound
        If no file or folder exists at the path.
    UnknownSource
        If no installed reader recognises the source.
    InvalidOption
        If an option does not exist.
    UnreadableSource, InvalidSource
        If the reader cannot read the source.

    Examples
    --------
    >>> from nwb_neurid.simulate import simulate, write_nwb
    >>> path = write_nwb(simulate(4, 5.0), "recording.nwb", overwrite=True)
    >>> read(path, stop_s=2.0)
    Population(4 units, spikes, 2 s in 1 runs)
    """
    wanted = parse_options(options)
    return read_with(reader_for(source), source, wanted)


def parse_options(options: Mapping[str, Any]) -> ReadOptions:
    """Make the options for reading from keyword arguments.

    Raises
    ------
    InvalidOption
        If an option does not exist.
    """
    try:
        return ReadOptions(**options)
    except TypeError:
        known = ", ".join(option.name for option in fields(ReadOptions))
        raise InvalidOption(
            f"Unknown options of reading: {', '.join(sorted(options))}. The options are: {known}."
        ) from None


def check_each_once(sources: Sequence[object]) -> None:
    """Check that no recording is listed twice. A recording that is listed twice would count twice in training.

    Raises
    ------
    InvalidOption
        If a path (with links resolved), a URL or an object is listed more than once.
    """
    seen = set()
    for source in sources:
        is_path = isinstance(source, str | Path) and not is_url(source)
        key = Path(str(source)).resolve() if is_path else source if isinstance(source, str) else id(source)
        if key in seen:
            raise InvalidOption(
                f"{name_source(source)} was given twice and would be counted twice. Give each recording once."
            )
        seen.add(key)


def read_with(reader: ReaderPlugin, source: object, options: ReadOptions) -> Population:
    """Read a recording with a given reader.

    Parameters
    ----------
    reader
        The reader for the source.
    source
        The recording.
    options
        Options for reading. Behaviour and stimulus are read if the reader supports this, unless `covariates` is False.

    Returns
    -------
    Population
        Units with their activity, observed time, labels and other properties.

    Raises
    ------
    InvalidOption
        If an option is set that the reader does not support.
    NeuridError
        For any other problem that the reader finds.
    """
    can_read = "covariates" in reader.spec.options
    if not options.covariates:
        options = replace(options, covariates=can_read and options.covariates is None)
    for option in fields(ReadOptions):
        known = option.name in reader.spec.options | {*FOR_ALL} or not getattr(options, option.name)
        if not known and getattr(options, option.name) != option.default:
            raise InvalidOption(
                f"The reader {reader.spec.name!r}, which reads {name_source(source)}, has no option {option.name}. "
                f"Its options: {', '.join(sorted(reader.spec.options)) or 'none'}."
            )
    with limits.reading(source), attribute_errors(lambda: _who(reader), f"failed on {name_source(source)}"):
        population = reader.read(source, options)
    if not isinstance(population, Population):
        raise BrokenPlugin(
            f"{_who(reader)} must return a Population of {name_source(source)}, got {type(population).__name__}."
        )
    if options.labels is not None:
        population = add_labels(population, Path(options.labels), name_source(source))
    return _stretch(population, name_source(source), options)


def name_source(source: object) -> str:
    """Name a recording for messages: its path or URL, or the kind of object."""
    return str(source) if isinstance(source, str | Path) else f"the {type(source).__name__}"


def _stretch(population: Population, source: str, options: ReadOptions) -> Population:
    """Return the part of a population in the time that the options select."""
    if options.duration_s is not None and not options.duration_s > 0:
        raise InvalidOption(f"The duration of {source} must be a positive number of seconds, got {options.duration_s}.")
    if options.exclude:
        population = _leave_out(population, source, options.exclude)
    if options.start_s is None and options.stop_s is None and options.duration_s is None:
        return population
    start_s = -np.inf if options.start_s is None else options.start_s
    stop_s = np.inf if options.stop_s is None else options.stop_s
    if not start_s < stop_s:
        raise InvalidOption(f"The start must lie before the stop, got {start_s:g} and {stop_s:g} s for {source}.")
    stretch = population.slice(start_s, stop_s)
    if len(stretch.observed_s) == 0:
        until = f" and {stop_s:g} s" if np.isfinite(stop_s) else " s and its end"
        raise InvalidOption(
            f"{source} was not observed between {start_s:g}{until}. It was observed from "
            f"{population.observed_s[0, 0]:g} to {population.observed_s[-1, 1]:g} s."
        )
    if options.duration_s is None:
        return stretch
    return stretch.restrict(shortened(stretch.observed_s, options.duration_s))


def _leave_out(population: Population, source: str, text: str) -> Population:
    """Return a population without the excluded time."""
    left_s = subtracted(population.observed_s, parse_excluded(text))
    if len(left_s) == 0 and len(population.observed_s):
        raise InvalidOption(
            f"--exclude {text} leaves nothing of {source}, which was observed from {population.observed_s[0, 0]:g} to "
            f"{population.observed_s[-1, 1]:g} s."
        )
    return population.restrict(left_s)


def _list_folders(folder: Path) -> list[Path]:
    """List the folders in a folder. The list is empty if access to the folder is denied."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except PermissionError:
        return []


def _check_may_enter(*folders: Path) -> None:
    for folder in folders:
        try:
            os.stat(os.path.join(folder, "."))  # noqa: PTH116, PTH118 - a path of pathlib drops the dot
        except PermissionError as error:
            raise UnreadableSource(
                f"{folder} cannot be opened: permission denied. Ask its owner for access, or copy it to a folder of "
                "your own."
            ) from error


def _who(reader: ReaderPlugin) -> str:
    """Name a reader and the package that it comes from, for messages."""
    name, readers = reader.spec.name, registry.readers()
    return name_plugin("Reader", name, readers.distribution(name) if name in set(readers) else "")


def read_for(spec: EncoderSpec | None, reader: ReaderPlugin, source: object, options: ReadOptions) -> Population:
    """Read a recording for an encoder, or for any encoder (None). Behaviour is read only for encoders that use it."""
    unused = spec is not None and not spec.uses_covariates and options.covariates is None
    return read_with(reader, source, replace(options, covariates=False) if unused else options)


def reader_for(source: object) -> ReaderPlugin:
    """Find the first reader, in alphabetical order, that recognises the source. Broken readers are skipped.

    Warns
    -----
    NeuridWarning
        If a reader is broken, or several readers recognise the folder. In the second case, the user should choose a
        reader.

    Raises
    ------
    SourceNotFound, UnknownSource
        As for `read`.
    UnreadableSource
        If access to the source is denied, or nothing is recognised in a folder that has an inaccessible subfolder.
    """
    if isinstance(source, str | Path) and not is_url(source):
        check_exists(Path(source))
    readers = registry.readers()
    found: list[ReaderPlugin] = []
    is_folder = isinstance(source, str | Path) and Path(source).is_dir()
    _check_may_enter(*([Path(str(source))] if is_folder else []))
    for name in readers:
        if found and not is_folder:
            break
        try:
            plugin = readers.load(name)
            failed = f"failed to check whether it can read {name_source(source)}"
            with attribute_errors(lambda: _who(plugin), failed):  # noqa: B023 - called within
                recognised = plugin.recognises(source)
        except (BrokenPlugin, IncompatiblePlugin) as error:
            warn(str(error))
            continue
        if recognised:
            found.append(plugin)
    if len(found) > 1:
        names = [plugin.spec.name for plugin in found]
        warn(
            f"The folder {source} fits several readers ({' and '.join(names)}), and is read by {names[0]}. To read "
            "something else in it, pass that folder or file instead."
        )
    if found:
        return found[0]
    _check_may_enter(*(_list_folders(Path(str(source))) if is_folder else []))
    within = f" If the folder holds recordings, pass them: {Path(str(source)) / '*'}." if is_folder else ""
    raise UnknownSource(f"No reader recognises {name_source(source)}. Installed readers: {', '.join(readers)}.{within}")

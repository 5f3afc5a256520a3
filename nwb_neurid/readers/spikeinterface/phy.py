"""Folders of phy, and of Kilosort before phy: spikes in `.npy`, settings in `params.py`, curation in `.tsv`.

Both count samples from the start of one recording. `params.py` is parsed line by line and never run.
"""

import ast
import csv
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Integer

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource, UnreadableSource
from nwb_neurid.population import Population
from nwb_neurid.readers.spikeinterface.files import load_array, whole
from nwb_neurid.readers.spikeinterface.sorting import FASTEST_HZ, SLOWEST_HZ, Sorting, checked_rate_hz, segment_of
from nwb_neurid.readers.spikeinterface.templates import read_templates

LARGEST_PARAMS_BYTES = 2**16
LARGEST_CLUSTER = 2**24
SHANKS = ("sh", "channel_group", "ch_group", "chan_grp")
"""What versions of phy call the column of the probe's shank."""
SAMPLE_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "float32": 4, "float64": 8}


def read_phy(folder: Path, options: ReadOptions) -> Population:
    """The clusters that have spikes, as phy shows them: after merges and splits, all of them whatever their group.

    Text columns of `cluster_*.tsv` become labels (`group` is good, mua or noise), the shank becomes the group.

    Parameters
    ----------
    folder
        Holds `spike_times.npy` and `spike_clusters.npy`, or else `spike_templates.npy`.
    options
        `rate_hz` where there is no `params.py`.

    Raises
    ------
    UnreadableSource, InvalidSource
        If files are damaged, or contradict one another.
    InvalidOption
        If the sampling rate is nowhere, or in two places and not the same.

    Warns
    -----
    NeuridWarning
        If the raw file is not where `params.py` says, or shorter than the spikes: then observed time is that of the
        spikes.
    """
    params = parameters(folder / "params.py")
    samples = whole(load_array(folder / "spike_times.npy"), str(folder / "spike_times.npy"))
    clusters_path = folder / "spike_clusters.npy"
    if not clusters_path.is_file():
        clusters_path = folder / "spike_templates.npy"
    clusters = whole(load_array(clusters_path), str(clusters_path))
    if len(samples) != len(clusters):
        raise InvalidSource(
            f"{clusters_path} must have one cluster for each of {len(samples)} spikes in spike_times.npy, it has "
            f"{len(clusters)}. Copy both files from one sorting."
        )
    unit_ids, rows = _units(clusters, clusters_path)
    columns = _columns(folder, unit_ids)
    templates = read_templates(folder, rows, len(unit_ids))
    sorting = Sorting(
        source=str(folder),
        unit_ids=unit_ids,
        rate_hz=_rate_hz(folder, params, options),
        properties={name: values for name, values in columns.items() if name not in SHANKS},
        group=next((columns[name] for name in SHANKS if name in columns), None),
        locations_um=None if templates is None else templates.positions_um,
        templates_uv=None if templates is None else templates.waveforms[:, :, None],
    )
    lasted = _raw_samples(folder, params)
    if lasted is not None and lasted <= samples.max(initial=0):
        lasted = None
    return sorting.population([segment_of(samples, rows, sorting.rate_hz, lasted)])


def parameters(path: Path) -> dict[str, object]:
    """The settings of a `params.py` that are numbers, texts, or lists of them; none where there is no such file.

    Raises
    ------
    UnreadableSource
        If it cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            lines = file.read(LARGEST_PARAMS_BYTES).decode("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error}.") from error
    found = {}
    for line in lines:
        name, _, value = line.partition("=")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)  # backslashes in paths of Windows
                found[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return found


def _rate_hz(folder: Path, params: Mapping[str, object], options: ReadOptions) -> float:
    """Sampling rate, as `params.py` says, or else the option.

    Raises
    ------
    InvalidOption, InvalidSource
        As for `checked_rate_hz`, and if neither tells it, or the option is no rate.
    """
    stated, asked = params.get("sample_rate"), options.rate_hz
    if stated is not None:
        return checked_rate_hz(str(folder), stated, options)
    if asked is None:
        raise InvalidOption(
            f"{folder} does not state its sampling rate: there is no params.py with a sample_rate. Give it as rate_hz "
            "(--rate-hz on the command line)."
        )
    if not SLOWEST_HZ <= asked <= FASTEST_HZ:
        raise InvalidOption(f"rate_hz must be a number from {SLOWEST_HZ:g} to {FASTEST_HZ:g} Hz, got {asked}.")
    return asked


def _units(
    clusters: Int64[np.ndarray, " spikes"], path: Path
) -> tuple[Int64[np.ndarray, " units"], Integer[np.ndarray, " spikes"]]:
    """The clusters that have spikes, and the row of each spike's."""
    if not 0 <= clusters.min(initial=0) <= clusters.max(initial=0) < LARGEST_CLUSTER:
        raise InvalidSource(
            f"{path} must hold clusters from 0 to below {LARGEST_CLUSTER}, they are from {clusters.min()} to "
            f"{clusters.max()}."
        )
    found = np.bincount(clusters) > 0
    unit_ids = np.flatnonzero(found)
    row_of = np.cumsum(found) - 1
    return unit_ids, row_of.astype(np.uint16 if len(unit_ids) <= 2**16 else np.int64)[clusters]


def _columns(folder: Path, unit_ids: Int64[np.ndarray, " units"]) -> dict[str, list[object]]:
    """What the tables of clusters say of these units, as text, "" where they say nothing; columns of numbers go.

    Every `cluster_*.tsv` overrides `cluster_info.tsv`, which phy makes of them.

    Raises
    ------
    UnreadableSource
        If a table cannot be read.
    """
    paths = [*folder.glob("cluster_*.tsv"), *folder.glob("cluster_*.csv")]
    told: dict[str, dict[str, str]] = {}
    for path in sorted(paths, key=lambda path: (path.stem != "cluster_info", path.name)):
        for cluster, column, value in _cells(path):
            told.setdefault(column, {})[cluster] = value
    columns: dict[str, list[object]] = {}
    for name, values in told.items():
        own = [values.get(str(unit), "") for unit in unit_ids.tolist()]
        if name in SHANKS or not all(_is_number(value) for value in own if value):
            columns[name] = list(own)
    return columns


def _cells(path: Path) -> Iterator[tuple[str, str, str]]:
    """Cluster, column and text of every cell of a table of clusters."""
    try:
        text = path.read_text("utf-8-sig", errors="replace")
        header, *rows = csv.reader(text.splitlines(), delimiter="\t" if "\t" in text else ",")
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableSource(f"{path} cannot be read as a table: {error}. Save it again in phy.") from error
    key = next((column for column, name in enumerate(header) if name in {"cluster_id", "id"}), None)
    if key is None:
        return
    for row in rows:
        for column, name in enumerate(header):
            if column != key and max(column, key) < len(row):
                yield row[key].strip(), name.strip(), row[column]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _raw_samples(folder: Path, params: Mapping[str, object]) -> int | None:
    """How many samples the raw recording has that `params.py` names; None if it is not there, or not described."""
    named, channels, offset = params.get("dat_path"), params.get("n_channels_dat"), params.get("offset", 0)
    width = SAMPLE_BYTES.get(str(params.get("dtype")))
    names = named if isinstance(named, list | tuple) else [named]
    if type(channels) is not int or channels <= 0 or type(offset) is not int or width is None:
        return None
    try:
        sizes = [(folder / name).stat().st_size - offset for name in names if isinstance(name, str)]
    except (OSError, ValueError):
        return None
    return sum(size // (channels * width) for size in sizes) if len(sizes) == len(names) and min(sizes) > 0 else None

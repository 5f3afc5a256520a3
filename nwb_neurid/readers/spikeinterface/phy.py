"""Folders of phy, and of Kilosort before phy: spikes in `.npy`, settings in `params.py`, curation in `.tsv`.

In folders of both kinds, times are counted in samples from the start of one recording. `params.py` is parsed line by
line and never run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, Integer

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource
from nwb_neurid.population import Population
from nwb_neurid.readers.labels import is_number
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.spikeinterface.files import as_integers, load_array
from nwb_neurid.readers.spikeinterface.params import Unparsed, read_params, take_single
from nwb_neurid.readers.spikeinterface.probes import find_rate_of_probe
from nwb_neurid.readers.spikeinterface.sorting import Sorting, check_rate_hz, segment_of
from nwb_neurid.readers.spikeinterface.tables import read_columns
from nwb_neurid.readers.spikeinterface.templates import read_layout, read_templates
from nwb_neurid.readers.words import squeeze

LARGEST_CLUSTER = 2**24
SHANKS = ("sh", "channel_group", "ch_group", "chan_grp")
"""Names of the column with the shank of the probe in different versions of phy."""
SAMPLE_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "float32": 4, "float64": 8}
SAMPLE_BYTES |= {"i1": 1, "u1": 1, "i2": 2, "u2": 2, "i4": 4, "f4": 4, "f8": 8}
RATES = ("samplerate", "samplingrate", "samplingfrequency", "fs")
"""Names of the sampling rate in `params.py`, in lower case and without underscores. phy uses the first name."""
SLOWEST_KHZ, FASTEST_KHZ = 5.0, 200.0  # at this many Hz, spikes could not be sorted


def read_phy(folder: Path, options: ReadOptions) -> Population:
    """Read the clusters that have spikes, as phy shows them: after merges and splits.

    Text columns of `cluster_*.tsv` become labels (`group` is good, mua or noise), and the shank becomes the group.
    Clusters that are labelled noise are left out.

    Parameters
    ----------
    folder
        The folder. It contains `spike_times.npy`, and `spike_clusters.npy` or `spike_templates.npy`.
    options
        `rate_hz` is needed if there is no `params.py` and the layout of the probe does not imply a rate. `where`
        selects clusters by the columns of the tables.

    Raises
    ------
    UnreadableSource, InvalidSource
        If files are damaged, or contradict one another.
    InvalidOption
        If the sampling rate is not stated, or two places state different rates.

    Warns
    -----
    NeuridWarning
        If the raw file is not at the path in `params.py`, or is shorter than the spikes, so that observed time lasts
        from the first spike to the last. Also if the sampling rate was taken from the layout of the probe, a table
        cannot be used, or clusters are left out.
    """
    params = read_params(folder / "params.py")
    samples = as_integers(load_array(folder / "spike_times.npy"), str(folder / "spike_times.npy"))
    clusters_path = folder / "spike_clusters.npy"
    if not clusters_path.is_file():
        clusters_path = folder / "spike_templates.npy"
    clusters = as_integers(load_array(clusters_path), str(clusters_path))
    if len(samples) != len(clusters):
        raise InvalidSource(
            f"{clusters_path} must have one cluster for each of {len(samples)} spikes in spike_times.npy, it has "
            f"{len(clusters)}. Copy both files from one sorting."
        )
    unit_ids, rows = _units(clusters, clusters_path)
    omissions = Omissions(str(folder))
    columns = read_columns(folder, unit_ids, omissions)
    waveforms, positions_um = read_templates(folder, rows, len(unit_ids))
    sorting = Sorting(
        source=str(folder),
        unit_ids=unit_ids,
        rate_hz=_rate_hz(folder, params, options),
        properties={name: values for name, values in columns.items() if name not in SHANKS},
        group=next((columns[name] for name in SHANKS if name in columns), None),
        locations_um=_depths(columns) if waveforms is None else positions_um,
        templates_uv=None if waveforms is None else waveforms[:, :, None],
    )
    lasted = _raw_samples(folder, params)
    if lasted is not None and lasted <= samples.max(initial=0):
        lasted = None
    return sorting.population([segment_of(samples, rows, sorting.rate_hz, lasted)], options, omissions)


def _rate_hz(folder: Path, params: Mapping[str, object], options: ReadOptions) -> float:
    """Return the sampling rate from `params.py`, or otherwise from the option, or otherwise from the probe.

    Raises
    ------
    InvalidOption, InvalidSource
        As for `check_rate_hz`, and if no rate is stated, or the option is not a valid rate.
    """
    stated = next((params[name] for name in params if squeeze(name) in RATES and params[name] is not None), None)
    if stated is None and options.rate_hz is None:
        found = "params.py has no sample_rate" if params else "there is no params.py with a sample_rate"
        if (probe := find_rate_of_probe(read_layout(folder))) is not None:
            rate_hz, name = probe
            warn(
                f"{folder} does not state its sampling rate: {found}. Its channels are laid out as on {name}, which "
                f"samples at {rate_hz:g} Hz, so that rate is used. If it was another, pass rate_hz (--rate-hz)."
            )
            return rate_hz
        raise InvalidOption(
            f"{folder} does not state its sampling rate: {found}. Give it as rate_hz (--rate-hz on the command line)."
        )
    stated = take_single(stated)
    if stated is None:
        stated = options.rate_hz
    elif isinstance(stated, str) and not isinstance(stated, Unparsed) and is_number(stated):
        stated = float(stated)
    asked = options.rate_hz
    if isinstance(asked, int | float) and SLOWEST_KHZ <= asked <= FASTEST_KHZ:
        warn(f"rate_hz is {asked:g}, too low to sort spikes. If that is in kHz, give {asked * 1e3:g}.")
    if isinstance(stated, int | float) and SLOWEST_KHZ <= stated <= FASTEST_KHZ and asked != stated:
        warn(
            f"{folder / 'params.py'} states a sampling rate of {stated:g}, which cannot be in Hz, so it is read as kHz."
        )
        stated = stated * 1e3
    return check_rate_hz(str(folder / "params.py"), stated, options)


def _units(
    clusters: Int64[np.ndarray, " spikes"], path: Path
) -> tuple[Int64[np.ndarray, " units"], Integer[np.ndarray, " spikes"]]:
    """Return the clusters with spikes, and for each spike the row of its cluster."""
    if not 0 <= clusters.min(initial=0) <= clusters.max(initial=0) < LARGEST_CLUSTER:
        raise InvalidSource(
            f"{path} must hold cluster ids from 0 to below {LARGEST_CLUSTER}, but they are from {clusters.min()} to "
            f"{clusters.max()}."
        )
    found = np.bincount(clusters) > 0
    unit_ids = np.flatnonzero(found)
    row_of = np.cumsum(found) - 1
    return unit_ids, row_of.astype(np.uint16 if len(unit_ids) <= 2**16 else np.int64)[clusters]


def _depths(columns: Mapping[str, Sequence[str]]) -> Float64[np.ndarray, "units 2"] | None:
    """Return the positions of clusters along the probe from the tables of phy. Return None if no table states them."""
    depths = columns.get("depth")
    if depths is None or not any(map(is_number, depths)):
        return None
    along = [float(depth) if is_number(depth) else np.nan for depth in depths]
    return np.column_stack([np.where(np.isnan(along), np.nan, 0.0), along])


def _raw_samples(folder: Path, params: Mapping[str, object]) -> int | None:
    """Return the number of samples of the raw recording in `params.py`.

    Return None if the file or its description is missing.
    """
    named, channels, offset = params.get("dat_path"), params.get("n_channels_dat"), params.get("offset") or 0
    width = SAMPLE_BYTES.get(str(params.get("dtype")).rpartition(".")[2].lstrip("<>=|"))  # also np.int16
    names = named if isinstance(named, list | tuple) else [named]
    if type(channels) is not int or channels <= 0 or type(offset) is not int or width is None:
        return None
    try:
        files = [folder / name for name in names if isinstance(name, str)]
        sizes = [file.stat().st_size - offset for file in files if file.is_file()]
    except (OSError, ValueError):
        return None
    return (
        sum(size // (channels * width) for size in sizes)
        if len(sizes) == len(names) and min(sizes, default=0) > 0
        else None
    )

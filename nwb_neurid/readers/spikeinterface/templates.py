"""Templates of Kilosort and phy: the mean waveform of each cluster on its peak channel, and its position.

Kilosort stores whitened templates, and whitening changes their shape and may change their peak channel. They are
therefore multiplied by `whitening_mat_inv.npy`, which undoes the whitening. A cluster that was merged in phy has spikes
of several templates. Its waveform is the mean over its spikes of the template, scaled by the amplitude of the spike.
"""

from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Float64, Int64, Integer, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers.spikeinterface.files import as_integers, load_array

TEMPLATES = "templates.npy"
UNWHITENING = "whitening_mat_inv.npy"
WHITENING = "whitening_mat.npy"
POSITIONS = "channel_positions.npy"
CHANNELS = ("templates_ind.npy", "template_ind.npy")
"""File with the channel of each column of each template, in different versions of phy."""


Templates: TypeAlias = tuple[Float32[np.ndarray, "units samples"], Float64[np.ndarray, "units 2"] | None]
"""For each cluster: the waveform on the channel with the largest peak-to-peak amplitude, in an unknown unit, and the
position of this channel (across, along). The waveform is NaN for a cluster without a template. The positions are None
if the folder does not state them.
"""


def read_templates(folder: Path, rows: Integer[np.ndarray, " spikes"], units: int) -> Templates | tuple[None, None]:
    """Read the templates of the clusters in a folder.

    Parameters
    ----------
    folder
        A folder of phy or Kilosort.
    rows
        The row of the unit to which each spike belongs, shape (spikes,).
    units
        Number of units.

    Returns
    -------
    tuple
        Waveforms and positions of the clusters. Both are None if there are no templates, or they cannot be used.

    Warns
    -----
    NeuridWarning
        If there are templates that cannot be used. The warning states the reason.
    """
    if not (folder / TEMPLATES).is_file():
        return None, None
    try:
        return _read(folder, rows, units)
    except (InvalidSource, UnreadableSource) as error:
        warn(f"Templates are left out: {error}")
        return None, None


def read_layout(folder: Path) -> Float64[np.ndarray, "channels 2"] | None:
    """Read the positions of the channels on the probe.

    Returns
    -------
    numpy.ndarray or None
        Across and along the probe, in micrometres, shape (channels, 2); None if the folder does not state usable
        positions.
    """
    try:
        positions = load_array(folder / POSITIONS) if (folder / POSITIONS).is_file() else None
        return None if positions is None else _read_positions(folder, len(positions))
    except (InvalidSource, UnreadableSource):
        return None


def _read(folder: Path, rows: Integer[np.ndarray, " spikes"], units: int) -> Templates:
    templates = load_array(folder / TEMPLATES)
    if templates.ndim != 3 or 0 in templates.shape or templates.dtype.kind not in "iuf":
        raise InvalidSource(
            f"{folder / TEMPLATES} must be numbers of shape (templates, samples, channels), it holds {templates.dtype} "
            f"of shape {templates.shape}."
        )
    unwhitening = _read_unwhitening(folder)
    channels = _read_channels(folder, templates.shape, len(unwhitening))
    shares = _share_templates(folder, rows, units, len(templates))
    positions = _read_positions(folder, len(unwhitening))
    waveforms = np.full((units, templates.shape[1]), np.nan, np.float32)
    peaks = np.full(units, -1, np.int64)
    for unit, own in enumerate(shares):
        mean = np.zeros((templates.shape[1], len(unwhitening)))
        for template, weight in own.items():
            mean += weight * _unwhiten(templates[template], channels[template], unwhitening)
        size = np.ptp(mean, axis=0)
        if np.isfinite(mean).all() and size.any():
            peaks[unit] = size.argmax()
            waveforms[unit] = mean[:, peaks[unit]]
    if positions is not None:
        positions = np.where(peaks[:, None] >= 0, positions[peaks], np.nan)
    return waveforms, positions


def _unwhiten(
    template: Shaped[np.ndarray, "samples columns"],
    channels: Int64[np.ndarray, " columns"],
    unwhitening: Float64[np.ndarray, "channels channels"],
) -> Float64[np.ndarray, "samples channels"]:
    """Convert a template to all channels, as phy shows it. Columns that are zero or have no channel are skipped."""
    used = np.flatnonzero((channels >= 0) & template.any(axis=0))
    return np.asarray(template[:, used].astype(np.float64) @ unwhitening[channels[used]])


def _read_unwhitening(folder: Path) -> Float64[np.ndarray, "channels channels"]:
    """Read the matrix that undoes the whitening if waveforms (samples, channels) are multiplied by it."""
    path = next((folder / name for name in (UNWHITENING, WHITENING) if (folder / name).is_file()), None)
    if path is None:
        raise InvalidSource(
            f"{folder} has no {UNWHITENING}, without which the shape of its whitened templates is not known. Copy it "
            "from the folder of the sorter."
        )
    matrix = load_array(path)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.dtype.kind not in "iuf":
        raise InvalidSource(f"{path} must be a square matrix of numbers, it holds {matrix.dtype} of {matrix.shape}.")
    square = matrix.astype(np.float64)
    if path.name == WHITENING:
        try:
            square = np.asarray(np.linalg.inv(square), np.float64)
        except np.linalg.LinAlgError as error:
            raise InvalidSource(f"{path} has no inverse: {error}.") from error
    if not np.isfinite(square).all():
        raise InvalidSource(f"{path} must hold finite numbers.")
    return square


def _read_channels(folder: Path, shape: tuple[int, ...], count: int) -> Int64[np.ndarray, "templates columns"]:
    """Read the channel of each column of each template, with -1 for columns without a channel."""
    path = next((folder / name for name in CHANNELS if (folder / name).is_file()), None)
    if path is None or shape[2] == count:  # Kilosort stores all channels, and also a file with their numbers
        if shape[2] != count:
            raise InvalidSource(f"{folder / TEMPLATES} has {shape[2]} channels, {UNWHITENING} has {count}.")
        return np.broadcast_to(np.arange(count), (shape[0], count))
    channels = load_array(path)
    if channels.shape != (shape[0], shape[2]) or channels.dtype.kind not in "iuf":
        raise InvalidSource(f"{path} must have shape ({shape[0]}, {shape[2]}), it has {channels.shape}.")
    numbers = as_integers(channels.ravel(), str(path)).reshape(channels.shape)
    return np.where((numbers >= 0) & (numbers < count), numbers, -1)


def _read_positions(folder: Path, count: int) -> Float64[np.ndarray, "channels 2"] | None:
    """Read the positions across and along the probe, in micrometres.

    Return None if they are not stated or all equal.
    """
    path = folder / POSITIONS
    if not path.is_file():
        return None
    positions = load_array(path)
    if positions.shape != (count, 2) or positions.dtype.kind not in "iuf":
        raise InvalidSource(f"{path} must be numbers of shape ({count}, 2), it holds shape {positions.shape}.")
    places = positions.astype(np.float64)
    return places if np.isfinite(places).all() and (count == 1 or np.ptp(places, axis=0).any()) else None


def _share_templates(
    folder: Path, rows: Integer[np.ndarray, " spikes"], units: int, count: int
) -> list[dict[int, float]]:
    """Return the templates of the spikes of each unit, and for each template its summed amplitude per spike."""
    path = folder / "spike_templates.npy"
    if not path.is_file():
        raise InvalidSource(f"{folder} has no spike_templates.npy, which states the template of each spike.")
    found = as_integers(load_array(path), str(path))
    if len(found) != len(rows) or not 0 <= found.min(initial=0) <= found.max(initial=0) < count:
        raise InvalidSource(f"{path} must hold one of {count} template indices for each of {len(rows)} spikes.")
    path = folder / "amplitudes.npy"
    amplitudes = load_array(path).ravel() if path.is_file() else np.ones(len(rows))
    if len(amplitudes) != len(rows) or amplitudes.dtype.kind not in "iuf" or not np.isfinite(amplitudes).all():
        raise InvalidSource(f"{path} must hold a finite number for each of {len(rows)} spikes.")
    pairs = rows.astype(np.int64) * count + found
    total = np.bincount(pairs, amplitudes, minlength=units * count).reshape(units, count)
    spikes = np.maximum(np.bincount(rows, minlength=units), 1)
    return [
        {int(template): float(own[template] / spikes[unit]) for template in np.flatnonzero(own)}
        for unit, own in enumerate(total)
    ]

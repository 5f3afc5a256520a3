"""The sampling rate that the layout of a probe implies: Neuropixels probes digitise spikes themselves, at 30 kHz.

Source: the data sheets of Neuropixels 1.0 (Jun et al. 2017, 10.1038/nature24636) and 2.0 (Steinmetz et al. 2021,
10.1126/science.abf4588).
"""

import numpy as np
from jaxtyping import Float64

NEUROPIXELS_HZ = 30_000.0
FEWEST_CHANNELS = 64
"""Minimum number of channels. With fewer channels, another probe may have the same layout by chance."""

SHANK_UM = 250.0
SHANKS = 4


def find_rate_of_probe(positions_um: Float64[np.ndarray, "channels 2"] | None) -> tuple[float, str] | None:
    """Find the sampling rate of a probe from the layout of its channels, if such probes have only one rate.

    Parameters
    ----------
    positions_um
        Across and along the probe, in micrometres, shape (channels, 2); None if they are not known.

    Returns
    -------
    tuple of float and str, or None
        Samples per second and the name of the probe; None if the layout is not that of a supported probe.

    Examples
    --------
    >>> rows = np.arange(96)
    >>> staggered = np.column_stack([np.array([27.0, 59.0, 11.0, 43.0])[rows % 4], rows // 2 * 20.0])
    >>> find_rate_of_probe(staggered)
    (30000.0, 'Neuropixels 1.0')
    >>> find_rate_of_probe(staggered * 1.5) is None
    True
    """
    if (
        positions_um is None
        or len(positions_um) < FEWEST_CHANNELS
        or len(np.unique(positions_um, axis=0)) < len(positions_um)
    ):
        return None
    across, along = (positions_um - positions_um.min(axis=0)).T
    if _is_staggered(across, along):
        return NEUROPIXELS_HZ, "Neuropixels 1.0"
    return (NEUROPIXELS_HZ, "Neuropixels 2.0") if _is_aligned(across, along) else None


def _is_staggered(across_um: Float64[np.ndarray, " channels"], along_um: Float64[np.ndarray, " channels"]) -> bool:
    """Return whether channels are in two columns 32 µm apart, with every other row of 20 µm shifted by 16 µm."""
    column, row = across_um / 16, along_um / 20
    if not np.array_equal(column, np.round(column)) or not np.array_equal(row, np.round(row)):
        return False
    return set(column.tolist()) == {0, 1, 2, 3} and len(set(((column + row) % 2).tolist())) == 1


def _is_aligned(across_um: Float64[np.ndarray, " channels"], along_um: Float64[np.ndarray, " channels"]) -> bool:
    """Return whether channels are in two columns 32 µm apart, in rows of 15 µm, on up to four shanks 250 µm apart."""
    shank, row = np.floor(across_um / SHANK_UM), along_um / 15
    within = across_um - shank * SHANK_UM
    return bool(set(within.tolist()) == {0, 32} and shank.max() < SHANKS and np.array_equal(row, np.round(row)))

"""Behaviour and stimulus during the recording, with one channel for each role that a covariate may have.

The names of series differ between files, but a model needs the same channels in all files. The role of a series is
therefore recognised by words in its name, and series of one role are averaged.
"""

import re
import warnings
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64

from nwb_neurid.population import Population

if TYPE_CHECKING:
    from torch import Tensor

ROLES = {
    "licks": re.compile(r"lick"),
    "pupil": re.compile(r"pupil|eye"),
    "whisking": re.compile(r"whisk|motion_?energy|face"),
    "reward": re.compile(r"reward|water|feedback"),
    "stimulus": re.compile(r"stim|contrast|grating|image|sound|tone|frame"),
    "running": re.compile(r"running|locomotion|wheel|treadmill|speed|velocity"),
    "trials": re.compile(r"trial"),
}
"""Roles of covariates, and patterns of words in their names. The first matching role is used."""


def find_role(name: str) -> str:
    """Find the role of a covariate by its name. Return "" if it has none."""
    return next((role for role, words in ROLES.items() if words.search(name.lower())), "")


def make_channels(
    population: Population, starts_s: Float64[np.ndarray, " bins"], bin_s: float, roles: tuple[str, ...]
) -> Float32[np.ndarray, "roles bins"]:
    """Make one channel for each role, standardised over the recording. It is NaN without a series for the role.

    Parameters
    ----------
    population
        The recording with the covariates.
    starts_s, bin_s
        Starts and width of the bins, in seconds.
    roles
        Some of `ROLES`.
    """
    found = np.full((len(roles), len(starts_s)), np.nan, np.float32)
    for at, wanted in enumerate(roles):
        parts = [
            _standardise(series.binned(starts_s, bin_s))
            for name, series in population.covariates.items()
            if find_role(name) == wanted
        ]
        if parts and len(starts_s):
            found[at] = _average_known(np.concatenate(parts, axis=1))
    return found


def make_context(
    population: Population, starts_s: Float64[np.ndarray, " bins"], bin_s: float, roles: tuple[str, ...]
) -> "Float32[Tensor, 'roles bins']":
    """Make the channels as a tensor, for training and embedding."""
    import torch

    return torch.from_numpy(make_channels(population, starts_s, bin_s, roles))


def _standardise(values: Float32[np.ndarray, "bins channels"]) -> Float32[np.ndarray, "bins channels"]:
    """Scale each channel to mean 0 and standard deviation 1. Constant channels become NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # for channels that are all NaN, which stay NaN
        spread = np.nanstd(values, axis=0)
        centred = values - np.nanmean(values, axis=0)
    return np.asarray(centred / np.where(spread > 0, spread, np.nan), np.float32)


def _average_known(values: Float32[np.ndarray, "bins channels"]) -> Float32[np.ndarray, " bins"]:
    """Average over the channels that are known."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)

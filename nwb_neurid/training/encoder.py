"""A torch module over windows, as an `Encoder`."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int, Int64
from torch import Tensor, nn

from nwb_neurid.contracts import Config, Progress, State, silent
from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json, Provenance
from nwb_neurid.training.windows import WindowOptions, Windows, cut

TOKENS_PER_BATCH = 16_384
PADDING = 0.1  # share of a batch that may be padding


class WindowModule(Protocol):
    """What a torch encoder implements: an `nn.Module` with this `forward`."""

    def __call__(
        self, activity: Tensor, present: Bool[Tensor, "windows units"] | None
    ) -> Float32[Tensor, "windows units dim"]:
        """Vectors of the units in each window, from `activity` (windows, units, bins).

        `present` is false where a row is padding; None where none is. What comes out for padding is not used.
        """
        ...


class TorchEncoder:
    """Embeds a unit as the mean of its vectors over all windows in which it is active.

    Parameters
    ----------
    module
        An `nn.Module` that is a `WindowModule`, with its weights.
    config
        What its plugin rebuilds it from.
    dim
        Length of its vectors.
    options
        How recordings are cut into windows for it.
    device
        "auto", "cpu" or "cuda".
    """

    def __init__(self, module: nn.Module, *, config: Config, dim: int, options: WindowOptions, device: str) -> None:
        self._device = chosen_device(device)
        self._module = module.to(self._device).eval()
        self._config = config
        self._dim = dim
        self._options = options

    @property
    def config(self) -> Mapping[str, Json]:
        """What its plugin rebuilds it from."""
        return self._config

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    def state(self) -> State:
        """The weights of the module."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self._module.state_dict().items()}

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """The mean vector of each unit over its windows; a reason for a unit that is active in none."""
        windows = cut(population, self._options)
        half = _halves(windows.active)
        sums = np.zeros((2, len(population), self._dim))
        values = torch.from_numpy(windows.values).to(self._device)
        batches = list(_batches(windows.active.sum(axis=1), self._options.tokens))
        for batch in progress(batches, label="windows", total=len(batches)):
            for window, units, vectors in self._forward(windows, values, batch):
                for side in (0, 1):
                    chosen = half[window, units] == side
                    sums[side, units[chosen]] += vectors[chosen]
        counts = np.stack([(half == side).sum(axis=0) for side in (0, 1)])
        n_windows = counts.sum(axis=0)
        return Embeddings.of(
            population,
            sums.sum(axis=0) / np.maximum(n_windows, 1)[:, None],
            n_windows=n_windows,
            stability=np.where(n_windows >= 4, _cosine(sums[0], sums[1]), np.nan),
            reasons=["" if count else self._reason(len(windows)) for count in n_windows],
            provenance=Provenance(window_s=self._options.window_s, stitched=windows.stitched, notes=windows.notes),
        )

    def _forward(
        self, windows: Windows, values: Tensor, batch: Int64[np.ndarray, " batch"]
    ) -> Iterator[tuple[int, Int64[np.ndarray, " active"], Float64[np.ndarray, "active dim"]]]:
        """The vectors of the active units of each window of a batch."""
        active = [np.flatnonzero(windows.active[window]) for window in batch]
        longest = max(len(units) for units in active)
        rows = np.zeros((len(batch), longest), np.int64)
        present = np.zeros((len(batch), longest), bool)
        for index, units in enumerate(active):
            rows[index, : len(units)] = units
            present[index, : len(units)] = True
        columns = windows.first[batch][:, None] + np.arange(windows.bins)
        unit_index = torch.from_numpy(rows).to(self._device)[:, :, None]
        column_index = torch.from_numpy(columns).to(self._device)[:, None, :]
        mask = None if present.all() else torch.from_numpy(present).to(self._device)
        with torch.inference_mode():
            vectors = self._module(values[unit_index, column_index], mask).double().cpu().numpy()
        for index, units in enumerate(active):
            yield int(batch[index]), units, vectors[index, : len(units)]

    def _reason(self, windows: int) -> str:
        if windows == 0:
            return f"observed time holds no whole window of {self._options.window_s:g} s"
        return f"silent or not observed in each of {windows} windows of {self._options.window_s:g} s"


def chosen_device(name: str) -> torch.device:
    """The device of this name; "auto" is CUDA where there is one.

    Raises
    ------
    InvalidOption
        If there is no such device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidOption("There is no CUDA device here: choose --device cpu, or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _batches(counts: Int[np.ndarray, " windows"], tokens: int) -> Iterator[Int64[np.ndarray, " batch"]]:
    """Windows with at least one active unit, those of similar count together, so that little is padding."""
    order = np.argsort(counts, kind="stable")[::-1]
    order = order[counts[order] > 0]
    while len(order):
        longest = counts[order[0]]
        fits = max(1, TOKENS_PER_BATCH // (int(longest) * tokens))
        similar = int(np.searchsorted(-counts[order], -(1 - PADDING) * longest, "right"))
        size = min(fits, similar)
        yield order[:size].astype(np.int64)
        order = order[size:]


def _halves(active: Bool[np.ndarray, "windows units"]) -> Int64[np.ndarray, "windows units"]:
    """Which random half (0 or 1) of its windows each window is for each unit; -1 where the unit is not active.

    The order is drawn for windows, not for units, so that the order of units changes nothing.
    """
    order = np.random.default_rng(0).permutation(len(active))
    rank = np.cumsum(active[order], axis=0) - 1
    half = np.empty(active.shape, np.int64)
    half[order] = np.where(active[order], rank % 2, -1)
    return half


def _cosine(
    left: Float64[np.ndarray, "units dim"], right: Float64[np.ndarray, "units dim"]
) -> Float64[np.ndarray, " units"]:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(axis=1) / np.where(norms > 0, norms, 1)

"""An `Encoder` that consists of a torch module, which computes vectors from windows."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor, nn

from nwb_neurid.contracts import Config, Progress, State, silent
from nwb_neurid.contracts.training import Binned, TrainingLog, TrainingOptions
from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json, Provenance
from nwb_neurid.training.loop import fit
from nwb_neurid.training.memory import explain_lack, to_device
from nwb_neurid.training.recipe import Recipe
from nwb_neurid.training.recording import Context, bin_population
from nwb_neurid.training.schedule import TrainingTask
from nwb_neurid.training.views import batch_windows, pack_active
from nwb_neurid.training.windows import WindowOptions, Windows, cut_windows


class WindowModule(Protocol):
    """The interface of the module of a torch encoder: an `nn.Module` with this `forward`.

    If the training is compiled, the whole module is compiled. A module can instead have a method
    `with_compiled_layers`, which returns a module with the same weights and compiled layers.
    """

    def __call__(
        self,
        activity: Tensor,
        present: Bool[Tensor, "windows units"] | None,
        *context: Float32[Tensor, "windows channels bins"],
    ) -> Float32[Tensor, "windows units dim"]:
        """Compute the vectors of the units in each window.

        Parameters
        ----------
        activity
            Spike counts (uint8) or samples of traces (float32), shape (windows, units, bins).
        present
            False for rows that are padding. Their vectors are not used. None if no row is padding.
        *context
            Further input, as one tensor. It is passed only if the encoder was made with a `context`.

        Returns
        -------
        Tensor
            Vectors, shape (windows, units, dim).
        """
        ...


class TorchEncoder:
    """An encoder that consists of a torch module. The module computes vectors from windows of a recording.

    The vector of a unit is the mean of its vectors over the windows in which the unit is active.

    Parameters
    ----------
    module
        An `nn.Module` with its weights. Its `forward` has two arguments: windows of shape (windows, units, bins), and
        a mask of shape (windows, units). The mask is False for padding. It is None if there is no padding. `forward`
        returns vectors of shape (windows, units, dim).
    config
        Settings from which the plugin rebuilds the encoder.
    dim
        Length of a vector.
    options
        Options for cutting recordings into windows.
    device
        "auto" (a GPU if there is one), "cpu" or "cuda".
    recipe
        Settings of the training.
    context
        Function that computes further input of the module from a population and its bins. None if the module needs no
        further input.

    Raises
    ------
    InvalidOption
        If the device does not exist.
    OutOfMemory
        If the device has too little memory for the module.

    Examples
    --------
    >>> from nwb_neurid.testing import mock_population
    >>> from nwb_neurid.training import ContrastiveLoss
    >>> class Rates(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(50, 8)
    ...
    ...     def forward(self, activity, present=None):
    ...         return self.layer(activity.float().unflatten(-1, (-1, 50))).mean(2)
    >>> encoder = TorchEncoder(
    ...     Rates(),
    ...     config={},
    ...     dim=8,
    ...     options=WindowOptions(bin_s=0.02, token_bins=50, tokens=10),
    ...     device="cpu",
    ...     recipe=Recipe(loss=ContrastiveLoss, windows=8, learning_rate=1e-3, max_distance_s=30.0),
    ... )
    >>> encoder.embed(mock_population(units=4)).vectors.shape
    (4, 8)
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        config: Config,
        dim: int,
        options: WindowOptions,
        device: str,
        recipe: Recipe,
        context: Context | None = None,
    ) -> None:
        self._device = choose_device(device)
        with explain_lack("hold the network", self._device):
            self._module = module.to(self._device).eval()
        self._config = config
        self._dim = dim
        self._options = options
        self._recipe = recipe
        self._context = context

    @property
    def config(self) -> Mapping[str, Json]:
        """Settings from which the plugin rebuilds the encoder."""
        return self._config

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    def state(self) -> State:
        """Return the weights of the module.

        Returns
        -------
        mapping of str to array
            The weights, with the names of `state_dict`, on the CPU.
        """
        return {name: tensor.detach().cpu().numpy() for name, tensor in self._module.state_dict().items()}

    @property
    def binning(self) -> str:
        """A text that identifies how recordings are binned."""
        return repr(self._options)

    def bin(self, population: Population) -> Binned:
        """Bin one group of units in the same way as `fit`.

        Parameters
        ----------
        population
            One group of units (probe, imaging plane), without excluded units.

        Returns
        -------
        Binned
            The binned units, which `fit` accepts instead of the population.
        """
        return bin_population(population, self._options, self._context)

    def fit(
        self, populations: Sequence[Population | Binned], options: TrainingOptions, *, progress: Progress = silent
    ) -> TrainingLog:
        """Train the module on pairs of windows, with the settings of the recipe.

        Parameters
        ----------
        populations
            Populations to train on, or the binned populations that `bin` returns. Each population is one group of
            units, without excluded units.
        options
            Number of steps, random seed, checkpoints and other options.
        progress
            Progress callback, called at every step.

        Returns
        -------
        TrainingLog
            Loss and number of matched units of every step, and notes on populations that were left out.

        Raises
        ------
        CannotTrain
            If no population has two windows and two units.
        WrongWeights
            If the checkpoint to resume from is damaged, or belongs to another training.
        OutOfMemory
            If the device has too little memory.
        """
        task = TrainingTask(
            module=self._module, dim=self._dim, windows=self._options, recipe=self._recipe, context=self._context
        )
        try:
            with explain_lack("train", self._device):
                return fit(task, populations, options, self._device, progress)
        finally:
            self._module.eval().zero_grad()  # gradients take as much memory as the weights

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """Compute the mean vector of each unit over its windows.

        Parameters
        ----------
        population
            One group of units (probe, imaging plane), without excluded units.
        progress
            Progress callback, called at every batch of windows.

        Returns
        -------
        Embeddings
            One row per unit. A unit that is not active in any window has NaN and a reason.

        Raises
        ------
        OutOfMemory
            If the device has too little memory.
        """
        with explain_lack(f"embed {population.source or 'this recording'}", self._device):
            return self._embed(population, progress)

    def _embed(self, population: Population, progress: Progress) -> Embeddings:
        windows = cut_windows(population, self._options)
        tokens, window_s = windows.bins // self._options.token_bins, windows.bins * self._options.bin_s
        half = _split_halves(windows.active)
        sums = torch.zeros(2 * len(population), self._dim, dtype=torch.float64, device=self._device)
        values = to_device(windows.values, self._device)
        context = None
        if self._context is not None:
            context = self._context(population, windows.starts_s, self._options.bin_s).to(self._device)
        todo = list(batch_windows(windows.active.sum(axis=1), tokens, self._device))
        for batch in progress(todo, label="windows", total=len(todo)):
            self._add_vectors(sums, half, windows, values, context, batch)
        first, second = sums.view(2, len(population), self._dim).cpu().numpy()
        n_windows = (half >= 0).sum(axis=0)
        return Embeddings.of(
            population,
            (first + second) / np.maximum(n_windows, 1)[:, None],
            n_windows=n_windows,
            stability=np.where(n_windows >= 4, _measure_cosine(first, second), np.nan),
            reasons=["" if count else _explain_missing(len(windows), window_s) for count in n_windows],
            provenance=Provenance(window_s=window_s, stitched=windows.stitched, notes=windows.notes),
        )

    def _add_vectors(
        self,
        sums: Float64[Tensor, "halves_of_units dim"],
        half: Int64[np.ndarray, "windows units"],
        windows: Windows,
        values: Tensor,
        context: Tensor | None,
        batch: Int64[np.ndarray, " batch"],
    ) -> None:
        """Add the vectors of the active units of each window of a batch to the sums over their half of the windows.

        The sums stay on the device, because copying every vector from a GPU would take longer than computing it.
        """
        rows, present = pack_active(windows.active[batch])
        target = half[batch[:, None], rows] * half.shape[1] + rows
        begin, unit = to_device(windows.first[batch], self._device), to_device(rows, self._device)
        bins = begin[:, None] + torch.arange(windows.bins, device=self._device)
        mask = None if present.all() else to_device(present, self._device)
        with torch.inference_mode():
            beside = () if context is None else (context[:, bins].transpose(0, 1),)
            vectors = self._module(values[unit[:, :, None], bins[:, None]], mask, *beside).flatten(0, 1)
            if mask is not None:
                vectors = vectors.index_select(0, to_device(np.flatnonzero(present), self._device))
            sums.index_add_(0, to_device(target[present], self._device), vectors.double())


def choose_device(name: str) -> torch.device:
    """Choose a device by its name.

    Parameters
    ----------
    name
        "cpu", "cuda", or "auto" for CUDA if there is a GPU.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    InvalidOption
        If the device does not exist.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidOption("There is no CUDA device here: choose --device cpu, or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _explain_missing(windows: int, window_s: float) -> str:
    """Explain why a unit has no vector."""
    if windows == 0:
        return f"observed time holds no whole window of {window_s:g} s"
    return f"silent or not observed in each of {windows} windows of {window_s:g} s"


def _split_halves(active: Bool[np.ndarray, "windows units"]) -> Int64[np.ndarray, "windows units"]:
    """Split the windows of each unit into two random halves (0 and 1). -1 if the unit is not active in the window.

    A random order is drawn for the windows, not for each unit. The result therefore does not depend on the order of
    the units.
    """
    order = np.random.default_rng(0).permutation(len(active))
    rank = np.cumsum(active[order], axis=0) - 1
    half = np.empty(active.shape, np.int64)
    half[order] = np.where(active[order], rank % 2, -1)
    return half


def _measure_cosine(
    left: Float64[np.ndarray, "units dim"], right: Float64[np.ndarray, "units dim"]
) -> Float64[np.ndarray, " units"]:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(axis=1) / np.where(norms > 0, norms, 1)

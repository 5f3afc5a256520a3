"""Losses that make the vectors of two views of a unit similar: decoupled contrastive, and VICReg."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

MOST_SIMILARITIES = 2**26
"""Number of similarities in memory at a time. More similarities are computed in pieces, and again for the gradients."""


class Loss(Protocol):
    """The interface of a loss: an `nn.Module` whose `forward` has the same arguments as `__call__`.

    If the loss has weights, they are trained together with the weights of the encoder.

    If `over_step` is True, the loss is called once per step, and the units of all windows are treated as one window.
    Otherwise, the loss is called on a few windows at a time, and the results are added up.
    """

    over_step: bool

    def __call__(
        self,
        views: Float[Tensor, "2 windows units dim"],
        seen: Bool[Tensor, "2 windows units"],
        twins: Bool[Tensor, "windows units units"] | None,
    ) -> Float[Tensor, ""]:
        """Compute the loss, summed over the matched units, that is, the units that are in both views.

        Parameters
        ----------
        views
            Vectors, shape (2, windows, units, dim). A row is the same unit in both views.
        seen
            Whether each unit is in each view, shape (2, windows, units).
        twins
            True for pairs of rows that may be the same neuron, shape (windows, units, units). Such pairs must not be
            used as negatives. None if there are no such pairs.

        Returns
        -------
        Tensor
            A scalar.
        """
        ...


class ContrastiveLoss(nn.Module):
    """Decoupled contrastive loss. It makes vectors of the same unit similar, and vectors of different units dissimilar.

    The two vectors of a unit come from the two windows of a pair. These windows are called views.

    Source: NuCLR (arXiv 2512.01199) and its code (nerdslab/nuclr, commit 0fa409b), with the decoupled denominator of
    Yeh et al. (2022), "Decoupled Contrastive Learning".

    Parameters
    ----------
    dim
        Length of a vector.
    temperature
        Similarities are divided by this number.
    within_view_temperature
        Also divide the similarities between units within one view, as in the paper. By default, only similarities
        across views are divided, as in the authors' code.

    Examples
    --------
    >>> loss = ContrastiveLoss(dim=8)
    >>> loss(torch.randn(2, 3, 5, 8), torch.ones(2, 3, 5, dtype=torch.bool)).shape
    torch.Size([])
    """

    over_step = False

    def __init__(self, dim: int, *, temperature: float = 0.2, within_view_temperature: bool = False) -> None:
        super().__init__()
        self.temperature = temperature
        self.within = temperature if within_view_temperature else 1.0
        self.projector = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(
        self,
        views: Float[Tensor, "2 windows units dim"],
        seen: Bool[Tensor, "2 windows units"],
        twins: Bool[Tensor, "windows units units"] | None = None,
    ) -> Float[Tensor, ""]:
        """Compute the loss, summed over the matched units, that is, the units that are in both views.

        All other units in the two views are negatives of a matched unit, even if they are in only one view.

        Parameters
        ----------
        views
            Vectors, shape (2, windows, units, dim).
        seen
            Whether each unit is in each view, shape (2, windows, units).
        twins
            Pairs that must not be used as negatives, shape (windows, units, units); None if there are none.

        Returns
        -------
        Tensor
            A scalar.
        """
        first, second = F.normalize(self.projector(views), dim=-1)
        windows, units = seen.shape[1:]
        size = max(1, MOST_SIMILARITIES // max(windows * 2 * units, 1))
        if size >= units:
            return self._sum_over(slice(0, units), first, second, seen, twins)
        parts = [
            checkpoint(
                *(self._sum_over, slice(start, min(start + size, units)), first, second, seen, twins),
                use_reentrant=False,
                preserve_rng_state=False,  # nothing is drawn
            )
            for start in range(0, units, size)
        ]
        return torch.stack(parts).sum()

    def _sum_over(
        self,
        rows: slice,
        first: Float[Tensor, "windows units dim"],
        second: Float[Tensor, "windows units dim"],
        seen: Bool[Tensor, "2 windows units"],
        twins: Bool[Tensor, "windows units units"] | None,
    ) -> Float[Tensor, ""]:
        """Compute the sum over some of the units."""
        every = torch.arange(seen.shape[2], device=seen.device)
        others = (every[rows, None] != every).expand(seen.shape[1], -1, -1)
        if twins is not None:
            others = others & ~twins[:, rows]
        negatives = torch.cat([others & seen[0, :, None], others & seen[1, :, None]], dim=-1)
        counted = seen[:, :, rows].all(0) & negatives.any(-1)  # the rest has nothing to be told from
        forth, back = (
            own[:, rows] @ other.transpose(1, 2) / self.temperature for own, other in ((first, second), (second, first))
        )
        within = [view[:, rows] @ view.transpose(1, 2) / self.within for view in (first, second)]
        columns = seen.sum((0, 2))[:, None].log()
        far = torch.cat([within[0], forth], dim=-1), torch.cat([back, within[1]], dim=-1)
        kept = (part.masked_fill(~negatives, -torch.inf).masked_fill(~counted[:, :, None], 0.0) for part in far)
        mean_log = torch.stack([torch.logsumexp(part, -1) for part in kept]).mean(0) - columns
        alike = torch.diagonal(forth, offset=rows.start, dim1=1, dim2=2)
        return (1 / self.temperature - alike + mean_log).masked_select(counted).sum()


class VICRegLoss(nn.Module):
    """VICReg loss: variance, invariance and covariance over all units of a step.

    Source: Bardes, Ponce and LeCun (2022), "VICReg", arXiv 2105.04906, equations 1 to 6. The default weights of the
    three terms are taken from this paper.

    Parameters
    ----------
    dim
        Length of a vector.
    expansion
        The projector has three layers of width `expansion` times `dim`. If `expansion` is 0, there is no projector. The
        input of each layer is standardised over the units of the step. (In the paper, only the inputs of the second and
        third layer are standardised.)
    invariance, variance, covariance
        Weights of the three terms.

    Examples
    --------
    >>> loss = VICRegLoss(dim=8, expansion=2)
    >>> loss(torch.randn(2, 1, 20, 8), torch.ones(2, 1, 20, dtype=torch.bool)).shape
    torch.Size([])
    """

    over_step = True

    def __init__(
        self,
        dim: int,
        *,
        expansion: int = 4,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
    ) -> None:
        super().__init__()
        self.weights = (invariance, variance, covariance)
        sizes = [dim, *[expansion * dim] * 3] if expansion else []
        layers: list[nn.Module] = []
        for size, wide in pairwise(sizes):
            between = [nn.ReLU()] if layers else []
            layers += [nn.BatchNorm1d(size, track_running_stats=False), *between, nn.Linear(size, wide)]
        self.projector = nn.Sequential(*layers)

    def forward(
        self,
        views: Float[Tensor, "2 windows units dim"],
        seen: Bool[Tensor, "2 windows units"],
        twins: Bool[Tensor, "windows units units"] | None = None,  # noqa: ARG002 - there are no negatives
    ) -> Float[Tensor, ""]:
        """Compute the weighted sum of the three terms, times the number of matched units.

        Parameters
        ----------
        views
            Vectors, shape (2, windows, units, dim).
        seen
            Whether each unit is in each view, shape (2, windows, units).
        twins
            Not used, because this loss has no negatives.

        Returns
        -------
        Tensor
            A scalar.
        """
        matched = seen.all(0)
        terms = self.terms(
            [self.projector(view[there]) for view, there in zip(views, seen, strict=True)],
            [matched[there] for there in seen],
        )
        weighted = [weight * term for weight, term in zip(self.weights, terms, strict=True)]
        return torch.stack(weighted).sum() * matched.sum()

    @staticmethod
    def terms(
        views: Sequence[Float[Tensor, "_ dim"]], matched: Sequence[Bool[Tensor, " _"]]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
        """Compute the three terms.

        Parameters
        ----------
        views
            Projected vectors of the units in each view, shape (units of the view, dim).
        matched
            Whether each of these units is in both views, shape (units of the view,).

        Returns
        -------
        tuple of Tensor
            Invariance of the matched units, and variance and covariance of all units, each summed over the two views.
        """
        first, second = (view[there] for view, there in zip(views, matched, strict=True))
        variance, covariance = first.new_zeros(()), first.new_zeros(())
        for view in views:
            variance = variance + F.relu(1 - (view.var(0) + 1e-4).sqrt()).mean()
            centred = view - view.mean(0)
            crossed = centred.T @ centred / (len(view) - 1)
            covariance = covariance + (crossed.square().sum() - crossed.diagonal().square().sum()) / view.shape[1]
        return F.mse_loss(first, second), variance, covariance

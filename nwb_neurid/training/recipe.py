"""`Recipe`: settings of the training of a torch encoder."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of the training of a torch encoder.

    Parameters
    ----------
    loss
        Function that makes the loss (a `nwb_neurid.training.Loss`) for vectors of a given length.
    windows
        Pairs of windows per training step.
    learning_rate
        Peak learning rate.
    max_distance_s
        Largest distance between the starts of the two views of a pair, in seconds of observed time; None for no limit.
    weight_decay
        Weight decay of AdamW, for matrices only.
    warm_up
        Share of the steps over which the learning rate rises; it then falls to zero along a cosine.
    keep_units
        The smallest share of units that unit dropout keeps in a view.
    shortest, longest
        Range of the length of the views of a pair, in windows. The length is drawn for each micro-batch, as far as
        observed time allows.
    clip
        Largest norm of the gradient, for the encoder and for the loss separately.

    Examples
    --------
    >>> from nwb_neurid.training import ContrastiveLoss
    >>> Recipe(loss=ContrastiveLoss, windows=32, learning_rate=1e-3, max_distance_s=30.0).weight_decay
    0.01
    """

    loss: Callable[[int], nn.Module]
    windows: int
    learning_rate: float
    max_distance_s: float | None
    weight_decay: float = 0.01
    warm_up: float = 0.02
    keep_units: float = 0.5
    shortest: float = 1.0
    longest: float = 1.0
    clip: float = 1.0

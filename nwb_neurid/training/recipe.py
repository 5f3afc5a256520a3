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
        Number of pairs of windows per training step.
    learning_rate
        Peak learning rate.
    max_distance_s
        Largest distance between the starts of the two windows (views) of a pair, in seconds of observed time; None for
        no limit.
    weight_decay
        Weight decay of AdamW, for matrices only.
    warm_up
        Share of the steps during which the learning rate rises. The learning rate then falls to zero along a cosine.
    keep_units
        In training, units are left out of each view at random. This is the smallest share of units that is kept.
    shortest, longest
        Shortest and longest length of the views of a pair, as multiples of the length of a window. The length is
        drawn at random for each micro-batch. Observed time limits the length.
    clip
        Largest norm of the gradient. The gradients of the encoder and of the loss are clipped separately.

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

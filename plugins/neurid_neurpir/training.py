"""Training settings of NeurPIR."""

from functools import partial

from nwb_neurid.training import Recipe, VICRegLoss

RECIPE = Recipe(
    loss=partial(VICRegLoss, expansion=2, invariance=10.0),
    windows=6,
    learning_rate=2e-3,
    max_distance_s=None,
    warm_up=0.05,
    keep_units=0.7,
    longest=3.0,
)
"""These settings were chosen by measurements on simulations, see `docs/understand/neurpir.md`."""
